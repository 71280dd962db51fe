import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { createCallBudget } from '../../src/relay/forward/call-budget.ts'
import { CALL_LIMITS } from '../../src/relay/forward/call-limits.ts'
import { createConcurrency } from '../../src/relay/forward/concurrency.ts'
import { createDedupWindow } from '../../src/relay/forward/dedup-window.ts'

describe('createCallBudget', () => {
  /** Calls whenever it is allowed to, with pauses; gives the times of the calls. */
  function callFor(
    totalMs: number,
    allowances: Parameters<typeof createCallBudget>[0],
    pauses: readonly number[] = [],
  ) {
    let nowMs = 0
    const budget = createCallBudget(allowances, () => nowMs)
    const calls: number[] = []
    while (nowMs < totalMs) {
      const waitMs = budget.waitMs()
      if (waitMs === 0) {
        budget.spend()
        calls.push(nowMs)
        nowMs += pauses[calls.length % (pauses.length || 1)] ?? 0
      } else nowMs += waitMs
    }
    return calls
  }

  function mostWithin(calls: readonly number[], spanMs: number): number {
    let most = 0
    let first = 0
    for (const [index, at] of calls.entries()) {
      while ((calls[first] as number) <= at - spanMs) first++
      most = Math.max(most, index - first + 1)
    }
    return most
  }

  test('lets through at most four fifths of the limit in any minute, and nearly that when there is much to do', () => {
    for (const environment of ['api-sandbox', 'developer-sandbox'] as const) {
      const { calls: allowances } = CALL_LIMITS[environment]
      const limit = allowances[0]?.calls as number
      const most = mostWithin(callFor(300_000, allowances), 60_000)
      expect(most).toBeLessThanOrEqual(limit * 0.8)
      expect(most).toBeGreaterThan(limit * 0.78)
    }
  })

  test('for any pattern of pauses, in spans of any position, for several limits at once', () => {
    const allowances = [
      { calls: 60, spanMs: 60_000 },
      { calls: 600, spanMs: 3_600_000 },
    ]
    fc.assert(
      fc.property(fc.array(fc.nat(30_000), { minLength: 1, maxLength: 50 }), (pauses) => {
        const calls = callFor(2 * 3_600_000, allowances, pauses)
        for (const { calls: limit, spanMs } of allowances) {
          expect(mostWithin(calls, spanMs)).toBeLessThanOrEqual(limit * 0.8)
        }
      }),
      { numRuns: 30 },
    )
  })

  test('production has limits for the hour and the day too', () => {
    expect(CALL_LIMITS.production.calls.map(({ calls, spanMs }) => [calls, spanMs / 60_000])).toEqual([
      [50_000, 1],
      [2_250_000, 60],
      [27_000_000, 1_440],
    ])
    expect(CALL_LIMITS['central-sandbox'].calls).toEqual([{ calls: 50_000, spanMs: 60_000 }])
  })

  test('holds all calls when the upstream says so, and forgives a clock that is set back', () => {
    let nowMs = 1_000_000
    const budget = createCallBudget(CALL_LIMITS['api-sandbox'].calls, () => nowMs)
    budget.hold(5_000)
    budget.hold(1_000)
    expect(budget.waitMs()).toBe(5_000)
    nowMs += 5_000
    expect(budget.waitMs()).toBe(0)
    for (let i = 0; i < 40; i++) budget.spend()
    nowMs -= 500_000
    const waitMs = budget.waitMs()
    expect(waitMs).toBeGreaterThan(0)
    expect(waitMs).toBeLessThan(5_000)
    nowMs += waitMs
    expect(budget.waitMs()).toBe(0)
  })
})

describe('createConcurrency', () => {
  test('one more for each round that goes well, half after trouble, from one to the most', () => {
    const concurrency = createConcurrency(8)
    expect(concurrency.limit).toBe(1)
    const seen: number[] = []
    for (let round = 0; round < 12; round++) {
      for (let call = concurrency.limit; call > 0; call--) concurrency.grow()
      seen.push(concurrency.limit)
    }
    expect(seen.slice(0, 3)).toEqual([2, 2, 3])
    expect(seen.at(-1)).toBe(8)
    concurrency.shrink()
    expect(concurrency.limit).toBe(4)
    for (let i = 0; i < 9; i++) concurrency.shrink()
    expect(concurrency.limit).toBe(1)
  })
})

describe('createDedupWindow', () => {
  const DAY_MS = 86_400_000
  const nowMs = 100 * DAY_MS

  test('a tenth of the window is left for retries', () => {
    expect(createDedupWindow(30).lateBeforeMs(nowMs)).toBe(73 * DAY_MS)
    expect(createDedupWindow(0).lateBeforeMs(nowMs)).toBe(nowMs)
  })

  test.each<[string, number, number | undefined, boolean]>([
    ['never sent', 0, undefined, false],
    ['sent just now', 99, 100, false],
    ['an old event, sent just now', 69, 100, true],
    ['a new event, first sent long ago', 99, 69, true],
    ['both within the window', 71, 71, false],
    ['an hour before the end of the window', 70 + 0.5 / 24, 100, true],
  ])('%s', (_, oldestDay, doubtDay, isOver) => {
    const doubt = doubtDay === undefined ? {} : { doubtSinceMs: doubtDay * DAY_MS }
    expect(createDedupWindow(30).isOverFor({ oldestAtMs: oldestDay * DAY_MS, ...doubt }, nowMs)).toBe(isOver)
  })

  test('without a Deduplicator whatever is in doubt stays so', () => {
    expect(createDedupWindow(0).isOverFor({ oldestAtMs: nowMs, doubtSinceMs: nowMs }, nowMs)).toBe(true)
  })
})
