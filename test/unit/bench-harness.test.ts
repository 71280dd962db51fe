import { describe, expect, test } from 'vitest'
import { mainThreadTasks, type TraceEvent } from '../../bench/browser/trace.ts'
import type { Ratio } from '../../bench/contract.ts'
import { figure, isMet, reportText, tableText } from '../../bench/harness/format.ts'
import { inParallel, interleave } from '../../bench/harness/rounds.ts'
import { quantile, ratioOf, spreadOf } from '../../bench/harness/stats.ts'
import { barShares, chartSvg } from '../../bench/harness/svg.ts'
import { RECORDING_MARK } from '../../bench/page/contract.ts'
import { Tally } from '../../bench/sink/tally.ts'

describe('statistics', () => {
  test('a quantile lies between its neighbours, whatever the order', () => {
    expect(quantile([4, 1, 3, 2], 0.5)).toBe(2.5)
    expect(quantile([5, 1, 3], 0.5)).toBe(3)
    expect(quantile([0, 100], 0.99)).toBeCloseTo(99)
    expect(() => quantile([], 0.5)).toThrow(RangeError)
  })

  test('a ratio is taken round by round, not of the medians', () => {
    // The machine was ten times slower in the second round; both subjects met that.
    expect(ratioOf([2, 20, 2], [1, 10, 1])).toEqual({ median: 2, min: 2, max: 2, rounds: 3 })
    expect(() => ratioOf([1], [1, 2])).toThrow(RangeError)
  })
})

describe('rounds', () => {
  test('every subject runs once a round, and the first place goes round', async () => {
    const order: string[] = []
    const measure = async (subject: string) => order.push(subject)
    const results = await interleave(['a', 'b'], { rounds: 2, warmUps: 1 }, measure)
    expect(order).toEqual(['b', 'a', 'a', 'b', 'b', 'a'])
    expect(results, 'the warm-up does not count').toEqual({ a: [3, 6], b: [4, 5] })
  })

  test('jobs run so many at a time, and their results keep the jobs’ order', async () => {
    let running = 0
    let most = 0
    const results = await inParallel([30, 1, 1, 1], 2, async (ms) => {
      most = Math.max(most, ++running)
      await new Promise((resolve) => setTimeout(resolve, ms))
      running--
      return ms * 2
    })
    expect({ results, most }).toEqual({ results: [60, 2, 2, 2], most: 2 })
  })
})

describe('the report', () => {
  const ratio = (median: number, target: Partial<Ratio>): Ratio => ({ name: 'r', value: spreadOf([median]), ...target })

  test('says whether a target is met by the median', () => {
    expect(isMet(ratio(1.5, { atMost: 1.5 }))).toBe(true)
    expect(isMet(ratio(1.6, { atMost: 1.5 }))).toBe(false)
    expect(isMet(ratio(0.5, { atLeast: 0.6 }))).toBe(false)
    expect(isMet(ratio(0.5, {}))).toBeUndefined()
  })

  test('stands ratios first', () => {
    const table = { title: 'T', columns: ['c', 'n'], rows: [['x', 12_345.6]] }
    const text = reportText({ ratios: [ratio(2, { atMost: 1 })], tables: [table], charts: [], notes: ['note'] })
    expect(text.indexOf('✗ target ≤ 1')).toBeGreaterThan(0)
    expect(text.indexOf('✗ target ≤ 1')).toBeLessThan(text.indexOf(tableText(table)))
    expect(text).toContain('12,346')
  })

  test('gives three figures that count', () => {
    expect([0, 0.012_345, 1.234_5, 12.345, 123.45, 12_345.6, Number.NaN].map(figure)).toEqual([
      ...['0', '0.0123', '1.23', '12.3', '123', '12,346', '–'],
    ])
  })
})

describe('a chart', () => {
  test('draws bars as long as their values, or as their powers of ten', () => {
    expect(barShares([50, 100, 0])).toEqual([0.5, 1, 0])
    const [small = 0, big = 0, none] = barShares([10, 1_000, 0], true)
    expect(big).toBe(1)
    expect(small).toBeGreaterThan(0)
    expect(small).toBeLessThan(0.5)
    expect(none).toBe(0)
  })

  test('is sound XML, whatever the labels hold', () => {
    const svg = chartSvg({ name: 'c', title: 'a < b & "c"', unit: 'ms', bars: [{ label: '<script>', value: 1 }] })
    expect(svg).not.toContain('<script>')
    expect(svg).toContain('a &lt; b &amp; &quot;c&quot;')
    expect(svg.match(/<rect/g)).toHaveLength(2)
  })
})

test('a tally tells what was delivered from what came again, and that from what no id can catch', () => {
  const tally = new Tally()
  const batch = [
    { n: 0, id: 'a' },
    { n: 1, id: 'b' },
  ]
  tally.add(batch, 100, 1_000)
  tally.add(batch, 100, 2_000)
  tally.add([{ n: 1, id: 'other' }], 50, 3_000)
  tally.add([{ n: 2, id: 'c' }], 50, 4_000)
  tally.add([], 999, 9_000)
  expect(tally.arrivals).toMatchObject({ delivered: 3, resent: 2, doubled: 1, requests: 4, bytes: 300 })
  expect(tally.arrivals).toMatchObject({ lastMs: 4_000, lastRequestMs: 4_000, unread: [] })
})

test('a trace’s tasks are those of pages’ main threads, and the one that recorded is known', () => {
  const task = (tid: number, ts: number, dur: number, tdur: number): TraceEvent => ({
    ...{ name: 'ThreadControllerImpl::RunTask', ph: 'X', pid: 1 },
    ...{ tid, ts, dur, tdur },
  })
  const names: TraceEvent[] = [
    { name: 'thread_name', ph: 'M', pid: 1, tid: 7, ts: 0, args: { name: 'CrRendererMain' } },
    { name: 'thread_name', ph: 'M', pid: 1, tid: 8, ts: 0, args: { name: 'Compositor' } },
  ]
  const mark: TraceEvent = { name: RECORDING_MARK, ph: 'R', pid: 1, tid: 7, ts: 150 }
  expect(
    mainThreadTasks([...names, mark, task(7, 100, 9_000, 8_000), task(7, 20_000, 5_000, 4_000), task(8, 1, 1e6, 1e6)]),
  ).toEqual([
    { wallMs: 9, cpuMs: 8, isRecording: true },
    { wallMs: 5, cpuMs: 4, isRecording: false },
  ])
})
