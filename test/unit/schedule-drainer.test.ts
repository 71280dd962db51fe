import { describe, expect, test } from 'vitest'
import { createBackoff } from '../../src/schedule/backoff.ts'
import { createDrainer, type Turn } from '../../src/schedule/drainer.ts'
import { deferred, fakeClock, settle } from '../support/fake-clock.ts'

const MORE: Turn = { kind: 'more' }
const EMPTY: Turn = { kind: 'empty' }
const wait = (atLeastMs = 0, byServer = false): Turn => ({ kind: 'wait', atLeastMs, byServer })

/** A drainer whose turns give these results in order, then 'empty'. */
function setUp(results: (Turn | Error | (() => Promise<Turn>))[] = []) {
  const clock = fakeClock()
  const errors: unknown[] = []
  const seen = { turns: 0, inside: 0, most: 0, mayRun: true, follows: [] as boolean[] }
  const turn = async (follows: boolean): Promise<Turn> => {
    seen.turns++
    seen.follows.push(follows)
    seen.most = Math.max(seen.most, ++seen.inside)
    try {
      const result = results.shift() ?? EMPTY
      if (result instanceof Error) throw result
      return typeof result === 'function' ? await result() : result
    } finally {
      seen.inside--
    }
  }
  const drainer = createDrainer({
    turn,
    mayRun: () => seen.mayRun,
    backoff: createBackoff({ random: () => 0.5 }),
    now: clock.now,
    setTimer: clock.setTimer,
    onError: (error) => errors.push(error),
  })
  return { clock, drainer, seen, errors, results }
}

describe('drainer', () => {
  test('takes turns until the outbox is empty', async () => {
    const { drainer, seen, clock } = setUp([MORE, MORE])
    await drainer.drain()
    expect(seen.turns).toBe(3)
    expect(clock.pendingMs).toEqual([])
    expect(drainer.nextTryAtMs).toBeUndefined()
  })

  test('tells a turn whether it follows another at once', async () => {
    const { drainer, seen, results } = setUp([MORE, MORE, EMPTY])
    await drainer.drain()
    results.push(MORE)
    await drainer.drain()
    expect(seen.follows).toEqual([false, true, true, false, true])
  })

  test('is single-flight: every caller waits for the one loop', async () => {
    const gate = deferred<Turn>()
    const { drainer, seen } = setUp([() => gate.promise])
    let ended = 0
    const calls = [1, 2, 3].map(() => drainer.drain().then(() => ended++))
    await settle()
    expect([seen.turns, ended]).toEqual([1, 0])
    gate.resolve(MORE)
    await Promise.all(calls)
    expect(seen.most).toBe(1)
  })

  test('a drain() during the turn that finds nothing looks again', async () => {
    const gate = deferred<Turn>()
    const { drainer, seen } = setUp([() => gate.promise])
    const first = drainer.drain()
    await settle()
    const second = drainer.drain()
    gate.resolve(EMPTY)
    await Promise.all([first, second])
    expect(seen.turns).toBe(2)
  })

  test('a drain() at any microtask around the loop’s end is not forgotten', async () => {
    for (let delay = 0; delay < 12; delay++) {
      const { drainer, seen } = setUp([EMPTY])
      void drainer.drain()
      for (let i = 0; i < delay; i++) await null
      // Something is stored now: only a turn that begins later sees it.
      const before = seen.turns
      await drainer.drain()
      expect(seen.turns, `after ${delay} microtasks`).toBeGreaterThan(before)
    }
  })

  test('may not run: no turn', async () => {
    const { drainer, seen } = setUp()
    seen.mayRun = false
    await drainer.drain(true)
    expect(seen.turns).toBe(0)
  })

  test('a pause in the middle ends the loop after the turn under way', async () => {
    const gate = deferred<Turn>()
    const { drainer, seen } = setUp([() => gate.promise, MORE, MORE])
    const done = drainer.drain()
    await settle()
    seen.mayRun = false
    gate.resolve(MORE)
    await done
    expect(seen.turns).toBe(1)
    seen.mayRun = true
    await drainer.drain()
    expect(seen.turns).toBe(4)
  })

  test('waits after a failure, then tries by itself, longer each time until one works', async () => {
    const { drainer, seen, clock } = setUp([wait(), wait(), MORE, wait()])
    await drainer.drain()
    expect(clock.pendingMs).toEqual([500])
    expect(drainer.nextTryAtMs).toBe(clock.now() + 500)
    await clock.advance(500)
    expect([seen.turns, clock.pendingMs]).toEqual([2, [1_000]])
    await clock.advance(1_000)
    expect([seen.turns, clock.pendingMs]).toEqual([4, [500]])
    await clock.advance(500)
    expect([seen.turns, drainer.nextTryAtMs]).toEqual([5, undefined])
  })

  test('drain() does not cut a wait short, force does', async () => {
    const { drainer, seen, clock } = setUp([wait()])
    await drainer.drain()
    await drainer.drain()
    expect(seen.turns).toBe(1)
    await drainer.drain(true)
    expect(seen.turns).toBe(2)
    expect(clock.pendingMs).toEqual([])
  })

  test('nobody cuts short a wait that the server asked for', async () => {
    const { drainer, seen, clock } = setUp([wait(30_000, true)])
    await drainer.drain()
    await drainer.drain(true)
    await clock.advance(30_000)
    expect(seen.turns).toBe(1)
    await clock.advance(500)
    expect(seen.turns).toBe(2)
  })

  test('a wait that ends in a pause plans nothing; the next drain() runs', async () => {
    const { drainer, seen, clock } = setUp([wait()])
    await drainer.drain()
    seen.mayRun = false
    await clock.advance(60_000)
    expect([seen.turns, drainer.nextTryAtMs]).toEqual([1, undefined])
    seen.mayRun = true
    await drainer.drain()
    expect(seen.turns).toBe(2)
  })

  test('a turn that throws is told, counts as failed, and the loop lives on', async () => {
    const boom = new Error('boom')
    const { drainer, seen, clock, errors } = setUp([boom, MORE])
    await drainer.drain()
    expect(errors).toEqual([boom])
    await clock.advance(500)
    expect(seen.turns).toBe(3)
  })

  test('stop() ends a wait', async () => {
    const { drainer, clock } = setUp([wait()])
    await drainer.drain()
    drainer.stop()
    expect(clock.pendingMs).toEqual([])
    expect(drainer.nextTryAtMs).toBeUndefined()
  })

  test('a turn that fails after stop() plans nothing', async () => {
    const gate = deferred<Turn>()
    const { drainer, clock } = setUp([() => gate.promise])
    const done = drainer.drain()
    await settle()
    drainer.stop()
    gate.resolve(wait(60_000, true))
    await done
    expect(clock.pendingMs).toEqual([])
  })
})
