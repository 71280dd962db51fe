import { describe, expect, test } from 'vitest'
import { merged } from '../../src/agent/worker/heads.ts'
import { objectName, objectNames } from '../../src/agent/worker/home.ts'
import { Leftovers, numbersGone, portionsOf } from '../../src/agent/worker/leftovers.ts'
import {
  afterDrain,
  appended,
  forced,
  newPlan,
  type Plan,
  type PlanTimes,
  withMeters,
} from '../../src/agent/worker/plan.ts'
import { Plans } from '../../src/agent/worker/plans.ts'
import type { Segment, StreamHead } from '../../src/outbox/contract.ts'
import { openNodeSqlite } from '../../src/sqlite/node.ts'

const NOW = 1_700_000_000_000
const times = (nowMs = NOW): PlanTimes => ({ nowMs, flushIntervalMs: 5_000, random: () => 0.5 })
const due = (dueAtMs: number, more: Partial<Plan> = {}): Plan => ({ ...newPlan('acme'), dueAtMs, ...more })
const EMPTY = { kind: 'empty', waiting: 0, wakeAtMs: undefined } as const

describe('the plan of an account', () => {
  test('sends what was stored after the interval, or at once when it is much', () => {
    const first = appended(newPlan('acme'), false, times())
    expect(first.dueAtMs).toBe(NOW + 5_000)
    expect(appended(first, false, times(NOW + 1_000)), 'an earlier moment stands').toBe(first)
    expect(appended(first, true, times(NOW + 1_000)).dueAtMs).toBe(NOW + 1_000)
  })

  test('backs off with every failure, up to two minutes, and no new event cuts it short', () => {
    let plan = due(NOW)
    const waits: number[] = []
    for (let failure = 0; failure < 12; failure++) {
      plan = afterDrain(plan, plan.dueAtMs, { kind: 'wait', atLeastMs: 0, byServer: false }, times())
      waits.push((plan.dueAtMs ?? 0) - NOW)
    }
    expect(waits.slice(0, 3)).toEqual([500, 1_000, 2_000])
    expect(waits.at(-1)).toBe(60_000)
    expect(appended(plan, true, times())).toBe(plan)
    expect(forced(plan, times()).dueAtMs).toBe(NOW)
  })

  test('nobody cuts short what the relay asked for', () => {
    const plan = afterDrain(due(NOW), NOW, { kind: 'wait', atLeastMs: 60_000, byServer: true }, times())
    expect(plan.dueAtMs).toBeGreaterThanOrEqual(NOW + 60_000)
    expect(forced(plan, times())).toBe(plan)
    expect(appended(plan, true, times())).toBe(plan)
    expect(forced(plan, times(NOW + 200_000)).dueAtMs).toBe(NOW + 200_000)
  })

  test('ends when nothing waits, but not what was stored meanwhile', () => {
    expect(afterDrain(due(NOW, { failures: 3 }), NOW, EMPTY, times())).toMatchObject({
      dueAtMs: undefined,
      failures: 0,
    })
    expect(afterDrain(due(NOW + 4_000), NOW, EMPTY, times()).dueAtMs).toBe(NOW + 4_000)
  })

  test('goes on at once when there was no allowance for all', () => {
    expect(afterDrain(due(NOW - 5), NOW - 5, { kind: 'more' }, times()).dueAtMs).toBe(NOW)
  })

  test('looks after what is put off: when the relay said, or ever more rarely', () => {
    expect(afterDrain(due(NOW), NOW, { ...EMPTY, waiting: 1, wakeAtMs: NOW + 1_000 }, times()).dueAtMs).toBe(
      NOW + 1_000,
    )
    let plan = due(NOW)
    const looks: number[] = []
    for (let look = 0; look < 9; look++) {
      plan = afterDrain(plan, plan.dueAtMs, { ...EMPTY, waiting: 1 }, times())
      looks.push((plan.dueAtMs ?? 0) - NOW)
    }
    expect(looks).toEqual([5_000, 60_000, 120_000, 240_000, 480_000, 960_000, 1_920_000, 3_600_000, 3_600_000])
    expect(appended(plan, false, times())).toMatchObject({ dueAtMs: NOW + 5_000, idleLooks: 0 })
  })

  test('knows the newest hundred meters', () => {
    const plan = withMeters(newPlan('acme'), ['a', 'b'])
    expect(withMeters(plan, ['b'])).toBe(plan)
    const many = withMeters(
      plan,
      Array.from({ length: 99 }, (_, n) => `m${n}`),
    )
    expect(many.meters).toHaveLength(100)
    expect(many.meters.slice(0, 1)).toEqual(['m0'])
    expect(many.meters.at(-1)).toBe('a')
  })

  test('is stored: due ones by their time, paused ones never', () => {
    const plans = new Plans(openNodeSqlite(':memory:'))
    expect(plans.nextDueAtMs).toBeUndefined()
    expect(plans.of('acme')).toEqual(newPlan('acme'))
    for (const [account, dueAtMs] of [
      ['b', 2],
      ['a', 1],
      ['c', 9],
    ] as const)
      plans.put({ ...newPlan(account), dueAtMs })
    plans.put({ ...newPlan('p'), dueAtMs: 0, pausedBy: ['consent'] })
    plans.put(newPlan('idle'))
    expect(plans.due(5, 10).map(({ account }) => account)).toEqual(['a', 'b'])
    expect(plans.due(5, 1).map(({ account }) => account)).toEqual(['a'])
    expect(plans.nextDueAtMs).toBe(1)
    expect(plans.of('p')).toEqual({ ...newPlan('p'), dueAtMs: 0, pausedBy: ['consent'] })
    expect(plans.all()).toHaveLength(5)
  })
})

const segment = (first: number, count: number, bytes = count * 10): Segment => {
  return { stream: 's', first, count, bytes, body: Array.from({ length: count }, (_, n) => `[${first + n}]`).join() }
}

describe('what an isolate holds', () => {
  test('is taken by one sender at a time, and free again after a while', () => {
    const held = new Leftovers()
    held.hold([segment(5, 2), segment(0, 3)])
    expect(held.take(NOW, NOW + 100).map(({ first }) => first)).toEqual([0, 5])
    expect(held.take(NOW + 50, NOW + 150)).toEqual([])
    expect(held.take(NOW + 100, NOW + 200)).toHaveLength(2)
    expect([held.events, held.bytes]).toEqual([5, 50])
  })

  test('comes back as what is left of it, unless somebody else took care of it meanwhile', () => {
    const held = new Leftovers()
    held.hold([segment(0, 3), segment(3, 3)])
    const taken = held.take(NOW, NOW + 100)
    held.drop([{ first: 3 }])
    held.giveBack(taken, [segment(1, 1), segment(4, 2)], [segment(2, 1)])
    expect(
      held.take(NOW, NOW).map(({ first }) => first),
      'what is aside is for an outbox',
    ).toEqual([1])
    const runs = held.takeForOutbox(NOW, NOW + 1).map(({ first, count }) => [first, count])
    expect(runs).toEqual([
      [1, 1],
      [2, 1],
    ])
    held.free([{ first: 2 }])
    expect(held.takeForOutbox(NOW, NOW + 1).map(({ first }) => first)).toEqual([2])
    expect(held.events).toBe(2)
  })

  test('held again counts once', () => {
    const held = new Leftovers()
    held.hold([segment(0, 3)])
    held.hold([segment(0, 3)])
    expect([held.events, held.bytes]).toEqual([3, 30])
  })

  test('purged is gone, but for what is being sent', () => {
    const held = new Leftovers()
    held.hold([segment(0, 3)])
    held.take(NOW, NOW + 100)
    held.hold([segment(3, 2)])
    expect(held.purge(NOW + 1)).toBe(2)
    expect(held.events).toBe(3)
  })

  test('remembers numbers that a relay has until the outbox has heard of them', () => {
    const held = new Leftovers()
    held.delivered([
      [0, 1],
      [4, 5],
    ])
    const told = [...held.elsewhere]
    held.delivered([[2, 2]])
    held.told(told)
    expect(held.elsewhere, 'told of 0 to 1, and 2 came since').toEqual([[0, 2]])
    held.told(held.elsewhere)
    expect(held.elsewhere).toEqual([])
  })

  test('numbers that are gone are those that are left nowhere', () => {
    expect(numbersGone([segment(0, 5), segment(9, 1)], [segment(1, 2)])).toEqual([
      [0, 0],
      [3, 4],
      [9, 9],
    ])
  })

  test('portions are never empty but when there is nothing, and never over the limit but for one segment', () => {
    expect(portionsOf([], 100)).toEqual([[]])
    const portions = portionsOf([segment(0, 6), segment(6, 6), segment(12, 20), segment(32, 1)], 130)
    expect(portions.map((each) => each.map(({ first }) => first))).toEqual([[0, 6], [12], [32]])
  })
})

describe('heads that overtake each other', () => {
  const head = (recorded: number, more: Partial<StreamHead> = {}): StreamHead => {
    const { stream, accountTag, openedAtMs } = { stream: 's', accountTag: 'acme', openedAtMs: 1 }
    return { stream, accountTag, openedAtMs, recorded, bytes: recorded * 10, refused: {}, dropped: {}, ...more }
  }

  test('give the newest of each counter', () => {
    expect(merged(head(5), head(3))).toEqual(head(5))
    expect(merged(head(3), head(5))).toEqual(head(5))
    const mixed = merged(
      head(5, { dropped: { full: 2 } }),
      head(5, { refused: { bad: 1 }, dropped: { full: 1, old: 4 } }),
    )
    expect(mixed).toEqual(head(5, { refused: { bad: 1 }, dropped: { full: 2, old: 4 } }))
  })
})

describe('the object of a stream', () => {
  test('is always the same, one of its account’s, and accounts spread', () => {
    const places = { shards: 16, spread: 3 }
    const own = objectNames('acme', places)
    expect(new Set(own).size).toBe(3)
    for (const stream of ['a', 'b', 'c', 'd']) {
      expect(own).toContain(objectName('acme', stream, places))
      expect(objectName('acme', stream, places)).toBe(objectName('acme', stream, places))
    }
    const used = new Set(
      Array.from({ length: 500 }, (_, n) => objectName(`account-${n}`, 's', { shards: 16, spread: 1 })),
    )
    expect(used.size).toBe(16)
    // It must not change from version to version: what waits would not be found.
    expect(objectName('acme', 's', { shards: 16, spread: 1 })).toBe('metertap-15')
  })
})
