import { describe, expect, test } from 'vitest'
import { createLeader } from '../../src/schedule/leader.ts'
import { settle } from '../support/fake-clock.ts'
import { FakeLocks } from '../support/fake-locks.ts'

function candidate(locks: LockManager | undefined, name = 'outbox') {
  const seen = { led: 0 }
  const leader = createLeader({ locks, name, onLead: () => seen.led++ })
  return { leader, seen }
}

describe('leader', () => {
  test('of many, one leads', async () => {
    const locks = new FakeLocks()
    const all = [1, 2, 3].map(() => candidate(locks.manager))
    await settle()
    expect(all.map(({ leader }) => leader.leads)).toEqual([true, false, false])
    expect(all.map(({ seen }) => seen.led)).toEqual([1, 0, 0])
    expect(all.every(({ leader }) => leader.exclusive)).toBe(true)
  })

  test('each name has a leader of its own', async () => {
    const locks = new FakeLocks()
    const all = ['a', 'b'].map((name) => candidate(locks.manager, name))
    await settle()
    expect(all.map(({ leader }) => leader.leads)).toEqual([true, true])
  })

  test('stepping down hands over to the next in line', async () => {
    const locks = new FakeLocks()
    const [first, second] = [candidate(locks.manager), candidate(locks.manager)]
    await settle()
    first.leader.stepDown()
    expect(first.leader.leads).toBe(false)
    await settle()
    expect(second.leader.leads).toBe(true)
    expect(second.seen.led).toBe(1)
  })

  test('who steps down while waiting never leads, and is in nobody’s way', async () => {
    const locks = new FakeLocks()
    const [first, second, third] = [candidate(locks.manager), candidate(locks.manager), candidate(locks.manager)]
    await settle()
    second.leader.stepDown()
    first.leader.stepDown()
    await settle()
    expect(second.seen.led).toBe(0)
    expect(third.leader.leads).toBe(true)
  })

  test('who steps down between grant and callback gives the lock back', async () => {
    const locks = new FakeLocks()
    const first = candidate(locks.manager)
    expect(locks.isHeld('outbox')).toBe(true)
    first.leader.stepDown()
    await settle()
    expect([first.seen.led, first.leader.leads, locks.isHeld('outbox')]).toEqual([0, false, false])
  })

  test('a stolen lock ends the lead, and the loser queues up again', async () => {
    const locks = new FakeLocks()
    const [first, second] = [candidate(locks.manager), candidate(locks.manager)]
    await settle()
    locks.steal('outbox')
    await settle()
    expect([first.leader.leads, second.leader.leads]).toEqual([false, true])
    second.leader.stepDown()
    await settle()
    expect([first.leader.leads, first.seen.led]).toEqual([true, 2])
  })

  test('without locks everyone leads at once, and not exclusively', () => {
    const { leader, seen } = candidate(undefined)
    expect([leader.leads, leader.exclusive, seen.led]).toEqual([true, false, 1])
    leader.stepDown()
    expect(leader.leads).toBe(false)
  })

  test.each([
    ['rejects', () => Promise.reject(new DOMException('Denied', 'SecurityError'))],
    [
      'throws',
      () => {
        throw new DOMException('Denied', 'SecurityError')
      },
    ],
  ])('where locks are denied (request %s) everyone leads', async (_, request) => {
    const { leader, seen } = candidate({ request } as unknown as LockManager)
    await settle()
    expect([leader.leads, leader.exclusive, seen.led]).toEqual([true, false, 1])
  })
})

describe('leader: theft in the moment of the grant', () => {
  test('of many that seize at once, one leads; the others know that locks work', async () => {
    const locks = new FakeLocks()
    const all = [1, 2, 3, 4].map(() => candidate(locks.manager))
    await settle()
    for (const { leader } of all.slice(1)) leader.seize()
    await settle()
    expect(all.map(({ leader }) => leader.leads)).toEqual([false, false, false, true])
    expect(all.every(({ leader }) => leader.exclusive)).toBe(true)
    all[3]?.leader.stepDown()
    await settle()
    expect(all.filter(({ leader }) => leader.leads)).toHaveLength(1)
  })

  test('locks that are always lost are no locks', async () => {
    let requests = 0
    const request = () => {
      requests++
      return Promise.reject(new DOMException('Lost', 'AbortError'))
    }
    const { leader } = candidate({ request } as unknown as LockManager)
    await settle()
    expect([leader.leads, leader.exclusive]).toEqual([true, false])
    expect(requests).toBeLessThan(10)
  })
})
