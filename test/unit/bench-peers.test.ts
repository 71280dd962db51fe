import { describe, expect, test } from 'vitest'
import type { Run } from '../../bench/browser/measure.ts'
import { threadMs } from '../../bench/browser/outside.ts'
import { within } from '../../bench/browser/within.ts'
import { peersTable } from '../../bench/figures/peers-table.ts'
import { reportText } from '../../bench/harness/format.ts'
import { chartSvg } from '../../bench/harness/svg.ts'
import { type Cost, type CostRun, costRunOf, worstCostMs } from '../../bench/peers/cost.ts'
import { costTable } from '../../bench/peers/cost-report.ts'
import { FATE_TIMES, FATES, type FateResult, limitOf, outcomeOf } from '../../bench/peers/fates.ts'
import { peersReport } from '../../bench/peers/report.ts'
import { PEER_FORMATS } from '../../bench/sink/formats/peers.ts'

const EVENTS = 5_000

function library(name: string): Cost['library'] {
  return { name, format: PEER_FORMATS.segment, scripts: new Map(), bundleBytes: 10_000 }
}

const whole = (round: number, taskMs: number): CostRun => ({
  ...{ round, taskMs, outsideMs: taskMs * 1.1, scriptMs: taskMs / 2, callMs: 5, deliveredMs: 900 },
  ...{ delivered: EVENTS, requests: 5, wireBytes: 80_000 },
})
const cut: CostRun = {
  round: 0,
  taskMs: 118_000,
  delivered: 900,
  requests: 18,
  wireBytes: 700_000,
  ending: { how: 'cut off', afterMs: 130_000 },
}
const cost = (name: string, runs: readonly CostRun[], failures: readonly string[] = []): Cost => ({
  ...{ library: library(name), runs, failures },
})
const fate = (name: string, more: Partial<FateResult> = {}): FateResult => ({
  ...{ library: name, fate: 'outage', recorded: 101, delivered: 101, lost: 0, doubled: 0, resent: 0, ...more },
})

describe('work within its time', () => {
  test('gives what it gives, or what is known when it is late', async () => {
    expect(await within(Promise.resolve('done'), 1_000, () => 'late')).toBe('done')
    const never = new Promise<string>(() => {})
    expect(await within(never, 1, () => 'late')).toBe('late')
  })

  test('fails as it fails, and nobody hears of what fails after its time', async () => {
    await expect(within(Promise.reject(new Error('broken')), 1_000, () => 'late')).rejects.toThrow('broken')
    const work = Promise.withResolvers<string>()
    expect(await within(work.promise, 1, () => 'late')).toBe('late')
    work.reject(new Error('unheard'))
    // A rejection that nobody handles would fail this file.
    await new Promise((resolve) => setTimeout(resolve))
  })
})

test('a thread’s time is its own and the kernel’s, whatever it is called', () => {
  const fields = (name: string) => `42 (${name}) S 1 42 42 0 -1 4194304 9 0 0 0 150 25 7 8 20 0 1 0 100`
  expect(threadMs(fields('chromium'))).toBe(1_750)
  expect(threadMs(fields('a (b) c'))).toBe(1_750)
})

describe('a run of a library', () => {
  const run = { taskMs: 9, outsideMs: 10, scriptMs: 5, callMs: 1, deliveredMs: 700, delivered: 300, requests: 1 } as Run

  test('that did not deliver everything in time is one that was cut off, though its page answers', () => {
    const limits = { events: 300, timeoutMs: 20_000 }
    expect(costRunOf(run, 2, limits)).toMatchObject({ round: 2, deliveredMs: 700 })
    expect(costRunOf(run, 2, limits).ending).toBeUndefined()
    expect(costRunOf({ ...run, delivered: 299, deliveredMs: undefined }, 2, limits).ending).toEqual({
      ...{ how: 'cut off', afterMs: 20_000 },
    })
  })
})

describe('a library that was cut off', () => {
  const costs = [cost('metertap', [whole(0, 120), whole(1, 130)]), cost('mixpanel', [cut])]
  const report = peersReport({ events: EVENTS, costs, fates: [] })

  test('stays in the table, with what is known as lower bounds', () => {
    const [ours, theirs] = costTable(costs, EVENTS).rows
    expect(ours).toEqual(['metertap', 125, 62.5, 5, 900, EVENTS, 5, 80, 10])
    expect(theirs).toEqual([
      ...['mixpanel', '≥ 118,000', '–', '–', 'cut off after 130 s', '900 of 5,000', '≥ 18', '≥ 700', 10],
    ])
  })

  test('makes of a ratio a figure that is at most so much, of the rounds that both have', () => {
    const [ratio] = report.ratios
    expect(ratio).toMatchObject({ isCeiling: true, value: { median: 120 / 118_000, rounds: 1 } })
    expect(ratio?.atMost, 'the best lossless one is none that was cut off').toBeUndefined()
    expect(reportText(report)).toMatch(/≤ 0\.00102 +main-thread time over mixpanel’s, which was cut off after 130 s/)
  })

  test('is said in a note, with how well its time is known', () => {
    const text = report.notes.join('\n')
    expect(text).toContain('mixpanel: at least 118,000 ms, 900 of 5,000 events delivered, cut off after 130 s.')
    expect(text).toContain('that was ×1.1 (1.1–1.1) of the task time')
  })

  test('is marked in the chart', () => {
    const chart = report.charts.find(({ name }) => name === 'peers-cost')
    const svg = chart ? chartSvg(chart) : ''
    expect(svg).toContain('>mixpanel (cut off)<')
    expect(svg).toContain('>≥ 118,000<')
  })

  test('is marked in the README’s table, and explained below it', () => {
    const lines = peersTable(report)?.split('\n')
    expect(lines).toContain('| mixpanel | ≥ 118,000 | ≥ 700 | ≥ 18 | 10 | – | – | – | – |')
    expect(lines).toContain(
      'mixpanel: cut off after 130 s with 900 of 5,000 events delivered; its costs are at least these.',
    )
  })

  test('is one in all its rounds: a median of lower bounds is a lower bound', () => {
    const mixed = cost('mixpanel', [whole(0, 40_000), { ...cut, round: 1 }])
    expect(costTable([mixed], EVENTS).rows[0]?.[1]).toBe('≥ 79,000')
  })
})

test('a library whose page crashed is shown like one that was cut off', () => {
  const crashed = cost('snowplow', [{ ...cut, ending: { how: 'crashed', afterMs: 80_000 } }])
  const report = peersReport({ events: EVENTS, costs: [cost('metertap', [whole(0, 120)]), crashed], fates: [] })
  expect(report.tables[0]?.rows[1]).toContain('crashed after 80 s')
  expect(report.ratios[0]?.name).toBe('main-thread time over snowplow’s, which crashed after 80 s')
  expect(report.charts[0]?.bars.map(({ label }) => label)).toContain('snowplow (crashed)')
  expect(peersTable(report)).toContain('snowplow: crashed after 80 s with 900 of 5,000 events delivered; its costs')
})

describe('what is known of some', () => {
  test('is not lost with the others: without a round of both there is no ratio, and no failure either', () => {
    const costs = [
      cost('metertap', [whole(1, 120)]),
      cost('segment', [whole(0, 300)]),
      cost('posthog', [], ['crashed']),
    ]
    const { ratios, tables, notes } = peersReport({ events: EVENTS, costs, fates: [fate('segment')] })
    expect(ratios).toEqual([])
    expect(tables[0]?.rows.map(([name, taskMs]) => [name, taskMs])).toEqual([
      ['metertap', 120],
      ['segment', 300],
      ['posthog', '–'],
    ])
    expect(notes).toContain('posthog: crashed')
    expect(peersTable({ tables })).toContain('posthog: no burst of it came to an end that could be measured.')
  })

  test('does not make a library lossless that failed in a fate, or has not met all', () => {
    const costs = [cost('metertap', [whole(0, 10)]), cost('segment', [whole(0, 300)])]
    const met = FATES.map(({ name }) => fate('segment', { fate: name }))
    const targetOf = (fates: readonly FateResult[]) => peersReport({ events: EVENTS, costs, fates }).ratios[0]?.atMost
    expect(targetOf(met)).toBe(0.1)
    expect(targetOf(met.slice(1))).toBeUndefined()
    expect(
      targetOf([...met.slice(1), fate('segment', { fate: met[0]?.fate ?? '', failure: 'cut off' })]),
    ).toBeUndefined()
  })

  test('does not look like losing nothing where a fate failed', () => {
    const fates = [fate('sentry', { lost: 3 }), fate('sentry', { fate: 'answers lost', failure: 'cut off after 9 s' })]
    const { charts, notes, tables } = peersReport({ events: EVENTS, costs: [cost('sentry', [])], fates })
    const bars = charts.find(({ name }) => name === 'peers-fates')?.bars
    expect(bars).toEqual([{ label: 'sentry (1 failed)', value: 3, text: '≥ 3', highlight: false }])
    expect(tables[1]?.rows[0]).toContain('failed')
    expect(notes).toContain('sentry, answers lost: cut off after 9 s')
  })
})

test('the relay behind the sink has the last word on what is lost and what is doubled', () => {
  const seen = { recorded: 101, delivered: 100, doubled: 2 }
  expect(outcomeOf({ ...seen, received: undefined })).toEqual({ lost: 1, doubled: 2 })
  expect(outcomeOf({ ...seen, received: 98 })).toEqual({ lost: 3, doubled: 2 })
  expect(outcomeOf({ ...seen, received: 105 })).toEqual({ lost: 1, doubled: 7 })
})

describe('the full form ends', () => {
  const minutesOf = (rounds: number) => worstCostMs(9, { rounds, timeoutMs: 120_000, budgetMs: 18 * 60_000 }) / 60_000

  test('its costs: slow libraries have one round, and further rounds their budget', () => {
    expect(minutesOf(1)).toBe(21)
    expect(minutesOf(100), 'the first round is always made').toBe(21)
    const few = { rounds: 3, timeoutMs: 120_000, budgetMs: 18 * 60_000 }
    expect(worstCostMs(1, few)).toBe(140_000 + 2 * 45_000)
  })

  test('all its fates within sixteen minutes, even if every page is blocked', () => {
    const limitsMs = FATES.map((each) => limitOf(each, FATE_TIMES.full))
    expect(limitsMs.reduce((sum, ms) => sum + ms)).toBeLessThanOrEqual(16 * 60_000)
    FATES.forEach((each, nth) => {
      const { patienceMs } = FATE_TIMES.full
      expect(limitsMs[nth], 'none is cut off that keeps its times').toBeGreaterThan(
        each.lastsMs(FATE_TIMES.full) + patienceMs,
      )
    })
  })
})
