import type { HourRow, LaneBacklog, LedgerTotals } from '../../store/contract.ts'
import { ask } from './ask.ts'
import { type Chart, createChart, legend } from './charts.ts'
import { el, section } from './dom.ts'
import { count } from './format.ts'

export interface Traffic {
  readonly root: HTMLElement
  sample(atMs: number, totals: LedgerTotals, lanes: readonly LaneBacklog[]): void
  refresh(): Promise<void>
}

interface Sample {
  readonly atS: number
  readonly received: number
  readonly forwarded: number
  readonly waiting: number
}

const HOUR_MS = 3_600_000
const HOURS_SHOWN = 48
const MAX_SAMPLES = 400
const MAX_ROWS = 10_000

/** Throughput by the hour, and what happens while the page is open. */
export function createTraffic(): Traffic {
  const hourly = el('div', { class: 'chart' })
  const rates = el('div', { class: 'chart' })
  const backlog = el('div', { class: 'chart' })
  const note = el('p', { class: 'quiet' })
  const samples: Sample[] = []
  let charts: { hourly: Chart; rates: Chart; backlog: Chart } | undefined
  // Only once they are in the page do they have a width.
  const ready = () => {
    charts ??= {
      hourly: createChart(hourly, 'lines', 3_600),
      rates: createChart(rates, 'lines'),
      backlog: createChart(backlog, 'lines'),
    }
    return charts
  }

  function drawLive(): void {
    const pairs = samples.slice(1).map((sample, at) => [samples[at] as Sample, sample] as const)
    if (pairs.length === 0) return
    const rate = (name: 'received' | 'forwarded'): number[] =>
      pairs.map(([a, b]) => Math.max(0, (b[name] - a[name]) / Math.max(1, b.atS - a.atS)))
    const series = [
      { label: 'Received', color: '--received', values: rate('received') },
      { label: 'Forwarded', color: '--forwarded', values: rate('forwarded') },
    ]
    const times = pairs.map(([, { atS }]) => atS)
    const newest = (values: readonly number[]): string => count(Math.round(values.at(-1) ?? 0))
    const [received, forwarded] = series.map(({ values }) => newest(values))
    ready().rates.show({ times, series }, `Events a second now: received ${received}, forwarded ${forwarded}.`)
    const waiting = pairs.map(([, sample]) => sample.waiting)
    ready().backlog.show(
      { times, series: [{ label: 'On their way', color: '--waiting', values: waiting }] },
      `Backlog now: ${newest(waiting)} events are on their way upstream.`,
    )
  }

  return {
    root: section(
      'traffic',
      'Traffic and backlog',
      el('h3', {}, `Events by the hour, last ${HOURS_SHOWN} hours (UTC)`),
      legend(['Received', 'received'], ['Forwarded', 'forwarded'], ['Dead', 'missing']),
      hourly,
      note,
      el(
        'div',
        { class: 'pair' },
        el('div', {}, el('h3', {}, 'Events a second, while this page is open'), rates),
        el('div', {}, el('h3', {}, 'Backlog: stored and not yet accepted upstream'), backlog),
      ),
    ),
    sample(atMs, totals, lanes) {
      const waiting = lanes.reduce((sum, lane) => sum + lane.waiting + lane.inDelivery + lane.parked, 0)
      const { received, forwarded } = totals
      samples.push({ atS: atMs / 1000, received, forwarded, waiting })
      if (samples.length > MAX_SAMPLES) samples.shift()
      drawLive()
    },
    async refresh() {
      const lastMs = Math.floor(Date.now() / HOUR_MS) * HOUR_MS
      const fromMs = lastMs - (HOURS_SHOWN - 1) * HOUR_MS
      const { hours } = await ask<{ hours: HourRow[] }>('GET', `/v1/hours?from=${fromMs}&limit=${MAX_ROWS}`)
      note.textContent =
        hours.length < MAX_ROWS ? '' : 'There are more accounts than fit: the newest hours are not all here.'
      const all = Array.from({ length: HOURS_SHOWN }, (_, at) => fromMs + at * HOUR_MS)
      const sums = (name: 'received' | 'forwarded' | 'dead'): number[] =>
        all.map((at) => hours.reduce((sum, row) => sum + (row.hourMs === at ? row[name] : 0), 0))
      const series = [
        { label: 'Received', color: '--received', values: sums('received') },
        { label: 'Forwarded', color: '--forwarded', values: sums('forwarded') },
        { label: 'Dead', color: '--missing', values: sums('dead') },
      ]
      const parts = series.map(({ label, values }) => `${label} ${count(values.reduce((a, b) => a + b, 0))}`)
      ready().hourly.show(
        { times: all.map((at) => at / 1000), series },
        `Events by the hour over ${HOURS_SHOWN} hours: ${parts.join(', ')}.`,
      )
    },
  }
}
