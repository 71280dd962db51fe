import { describe, expect, test } from 'vitest'
import { createLeader } from '../../src/schedule/leader.ts'
import { createOffline } from '../../src/schedule/offline.ts'
import { createPauses } from '../../src/schedule/pauses.ts'
import { createWatchdog } from '../../src/schedule/watchdog.ts'
import { deferred, fakeClock, settle } from '../support/fake-clock.ts'
import { FakeLocks } from '../support/fake-locks.ts'

describe('leader: leaving and taking office', () => {
  const candidate = (locks: LockManager | undefined) => {
    const seen = { led: 0 }
    return { seen, leader: createLeader({ locks, name: 'outbox', onLead: () => seen.led++ }) }
  }

  test('who stepped down stands again at the end of the queue', async () => {
    const locks = new FakeLocks()
    const [first, second] = [candidate(locks.manager), candidate(locks.manager)]
    await settle()
    first.leader.stepDown()
    await settle()
    first.leader.stand()
    first.leader.stand()
    await settle()
    expect([first.leader.leads, second.leader.leads]).toEqual([false, true])
    second.leader.stepDown()
    await settle()
    expect([first.leader.leads, first.seen.led]).toEqual([true, 2])
  })

  test('seizing takes the lock from its holder, who finds out and queues', async () => {
    const locks = new FakeLocks()
    const [first, second] = [candidate(locks.manager), candidate(locks.manager)]
    await settle()
    second.leader.seize()
    await settle()
    expect([first.leader.leads, second.leader.leads, second.leader.exclusive]).toEqual([false, true, true])
    second.leader.stepDown()
    await settle()
    expect([first.leader.leads, first.seen.led, second.seen.led]).toEqual([true, 2, 1])
  })

  test('the holder has nothing to seize', async () => {
    const { leader, seen } = candidate(new FakeLocks().manager)
    await settle()
    leader.seize()
    await settle()
    expect([leader.leads, seen.led]).toEqual([true, 1])
  })

  test('without locks: down and up again', () => {
    const { leader, seen } = candidate(undefined)
    leader.stepDown()
    leader.seize()
    expect(leader.leads).toBe(false)
    leader.stand()
    expect([leader.leads, seen.led]).toEqual([true, 2])
  })
})

describe('watchdog', () => {
  function setUp() {
    const clock = fakeClock()
    const seen = { silences: 0 }
    return { clock, seen, watchdog: createWatchdog({ setTimer: clock.setTimer, onSilence: () => seen.silences++ }) }
  }

  test('no timer without a question', () => {
    expect(setUp().clock.pendingMs).toEqual([])
  })

  test('ten seconds after the first unanswered question, once', async () => {
    const { clock, seen, watchdog } = setUp()
    watchdog.asked()
    await clock.advance(6_000)
    watchdog.asked()
    await clock.advance(3_999)
    expect(seen.silences).toBe(0)
    await clock.advance(1)
    expect([seen.silences, clock.pendingMs]).toEqual([1, []])
  })

  test.each(['heard', 'stop'] as const)('%s() ends the wait; a later question opens another', async (end) => {
    const { clock, seen, watchdog } = setUp()
    watchdog.asked()
    watchdog[end]()
    expect(clock.pendingMs).toEqual([])
    watchdog.asked()
    await clock.advance(10_000)
    expect(seen.silences).toBe(1)
  })
})

describe('offline', () => {
  function setUp(probe: (call: number) => Promise<void> = async () => {}) {
    const clock = fakeClock()
    const pauses = createPauses(() => {})
    const seen = { probes: 0 }
    const offline = createOffline({ pauses, setTimer: clock.setTimer, probe: () => probe(seen.probes++) })
    return { clock, pauses, seen, offline }
  }

  test('pauses, and looks once a minute until it is over', async () => {
    const { clock, pauses, seen, offline } = setUp()
    offline.begin()
    expect(pauses.reasons).toEqual(['offline'])
    await clock.advance(180_000)
    expect(seen.probes).toBe(3)
    offline.end()
    expect([pauses.reasons, clock.pendingMs]).toEqual([[], []])
  })

  test('is told twice, looks once', async () => {
    const { clock, seen, offline } = setUp()
    offline.begin()
    offline.begin()
    await clock.advance(60_000)
    expect(seen.probes).toBe(1)
  })

  test('says while a probe is under way, and plans none beside it', async () => {
    const gate = deferred()
    const { clock, offline } = setUp(() => gate.promise)
    offline.begin()
    await clock.advance(60_000)
    expect([offline.probing, clock.pendingMs]).toEqual([true, []])
    gate.resolve()
    await settle()
    expect([offline.probing, clock.pendingMs]).toEqual([false, [60_000]])
  })

  test('a probe that got through ends the looking', async () => {
    const { clock, offline, pauses } = setUp(async () => pauses.remove('offline'))
    offline.begin()
    await clock.advance(60_000)
    expect(clock.pendingMs).toEqual([])
  })

  test('a probe that ends after stop() plans no other', async () => {
    const gate = deferred()
    const { clock, offline } = setUp(() => gate.promise)
    offline.begin()
    await clock.advance(60_000)
    offline.stop()
    gate.resolve()
    await settle()
    expect(clock.pendingMs).toEqual([])
  })
})
