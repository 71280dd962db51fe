import type { Run } from '../browser/measure.ts'
import type { Bar, Chart, Ratio, Report, Table } from '../contract.ts'
import { figure } from '../harness/format.ts'
import { median, ratioOf, spreadOf } from '../harness/stats.ts'
import type { Cost } from './cost.ts'
import { FATES, type FateResult } from './fates.ts'
import { peerVersions } from './install.ts'

export interface PeersResults {
  readonly events: number
  readonly costs: readonly Cost[]
  readonly fates: readonly FateResult[]
}

const OURS = 'metertap'
const MAX_OF_LOSSLESS = 0.1
const KB = 1_000

const taskMs = (run: Run): number => run.taskMs
const isWhole = (runs: readonly Run[], events: number): boolean => runs.every(({ delivered }) => delivered === events)

/** Ours over each peer's, round by round; the best lossless peer is what the target speaks of. */
function costRatios({ events, costs, fates }: PeersResults): Ratio[] {
  const ours = costs.find(({ library }) => library.name === OURS)
  if (!ours) return []
  if (ours.runs.length === 0) return []
  const others = costs.filter(({ library, runs }) => library.name !== OURS && runs.length > 0)
  const isLossless = (name: string) =>
    fates.every(({ library, lost, failure }) => library !== name || (lost === 0 && failure === undefined))
  const best = others
    .filter(({ library, runs }) => isLossless(library.name) && isWhole(runs, events))
    .toSorted((a, b) => median(a.runs.map(taskMs)) - median(b.runs.map(taskMs)))[0]
  return others.map(({ library: { name }, runs }) => ({
    name: `main-thread time over ${name}’s${name === best?.library.name ? ' (the best lossless one)' : ''}`,
    value: ratioOf(ours.runs.slice(0, runs.length).map(taskMs), runs.map(taskMs)),
    ...(name === best?.library.name && { atMost: MAX_OF_LOSSLESS }),
  }))
}

function fateRatios(fates: readonly FateResult[]): Ratio[] {
  const ours = fates.filter(({ library, failure }) => library === OURS && failure === undefined)
  if (ours.length < FATES.length) return []
  const sum = (what: 'lost' | 'doubled') => spreadOf([ours.reduce((total, result) => total + result[what], 0)])
  return [
    { name: 'metertap’s events lost in all fates', value: sum('lost'), atMost: 0 },
    { name: 'metertap’s events doubled after its relay', value: sum('doubled'), atMost: 0 },
  ]
}

function costTable({ events, costs }: PeersResults): Table {
  const rows = costs.map(({ library, runs }) => {
    if (runs.length === 0) return [library.name, ...Array(7).fill('–'), library.bundleBytes / KB]
    const of = (what: (run: Run) => number) => median(runs.map(what))
    const delivered = runs.flatMap(({ deliveredMs }) => deliveredMs ?? [])
    return [
      library.name,
      of(taskMs),
      of(({ scriptMs }) => scriptMs),
      of(({ callMs }) => callMs),
      delivered.length > 0 ? figure(median(delivered)) : 'not in time',
      of((run) => run.delivered),
      of(({ requests }) => requests),
      of(({ wireBytes }) => wireBytes / KB),
      library.bundleBytes / KB,
    ]
  })
  const columns = [
    'library',
    'task ms',
    'script ms',
    'calls ms',
    'delivered ms',
    'events',
    'requests',
    'wire kB',
    'bundle kB',
  ]
  return { title: `A burst of ${figure(events)} events in one task, medians`, columns, rows }
}

function fateTable({ costs, fates }: PeersResults): Table {
  const rows = costs.map(({ library }) => [
    library.name,
    ...FATES.map(({ name }) => {
      const result = fates.find((each) => each.library === library.name && each.fate === name)
      if (!result) return '–'
      if (result.failure !== undefined) return 'failed'
      const { lost, doubled, resent, recorded } = result
      return `${lost} / ${doubled} / ${resent} of ${recorded}`
    }),
  ])
  return {
    title: 'Lost / doubled / resent under the same id',
    columns: ['library', ...FATES.map(({ name }) => name)],
    rows,
  }
}

function barsOf(costs: readonly Cost[], value: (cost: Cost) => number): Bar[] {
  return costs
    .map((cost) => ({ label: cost.library.name, value: value(cost), highlight: cost.library.name === OURS }))
    .toSorted((a, b) => a.value - b.value)
}

function chartsOf({ events, costs, fates }: PeersResults): Chart[] {
  const lost = (name: string) => fates.filter(({ library }) => library === name)
  const sum = (name: string) => lost(name).reduce((total, result) => total + result.lost + result.doubled, 0)
  return [
    {
      name: 'peers-cost',
      title: `Main-thread time for a burst of ${figure(events)} events`,
      unit: 'ms of processor time',
      bars: barsOf(
        costs.filter(({ runs }) => runs.length > 0),
        ({ runs }) => median(runs.map(taskMs)),
      ),
      isLog: true,
    },
    {
      name: 'peers-fates',
      title: 'Events lost or doubled in four fates',
      unit: `events of ${figure(lost(OURS).reduce((total, { recorded }) => total + recorded, 0))}`,
      bars: barsOf(costs, ({ library }) => sum(library.name)),
    },
    {
      name: 'peers-bundle',
      title: 'Bundle, minified and gzipped',
      unit: 'kB',
      bars: barsOf(costs, ({ library }) => library.bundleBytes / KB),
    },
  ]
}

export function peersReport(results: PeersResults): Report {
  return {
    ratios: [...fateRatios(results.fates), ...costRatios(results)],
    tables: [costTable(results), fateTable(results)],
    charts: chartsOf(results),
    notes: [
      ...results.costs.flatMap(({ library, failures }) => failures.map((text) => `${library.name}: ${text}`)),
      ...results.fates.flatMap(({ library, fate, failure }) => (failure ? [`${library}, ${fate}: ${failure}`] : [])),
      `Peers: ${peerVersions().join(', ')}. Their configurations, with their sources: bench/peers/configs.`,
      'Lost: in no request by the end, after the next visit to the page too, within the form’s patience: what the quick form calls lost may only be late. Doubled: under two ids, or without any. Resent: a back end that keeps ids throws it away.',
      'Task and script time are processor time of the page’s main thread, from the first call until all is delivered and quiet.',
      'metertap’s bundle holds its meter’s schema library (zod) as well.',
    ],
  }
}
