import { endingText } from '../browser/cut-off.ts'
import type { Bar, Ratio, Table } from '../contract.ts'
import { figure, spread } from '../harness/format.ts'
import { median, ratioOf, spreadOf } from '../harness/stats.ts'
import type { Cost, CostRun } from './cost.ts'

export const OURS = 'metertap'
const MAX_OF_LOSSLESS = 0.1
const KB = 1_000
/** Shorter ones say little when the system counts in hundredths of a second. */
const MIN_COMPARED_MS = 100

type CutRun = CostRun & Required<Pick<CostRun, 'ending'>>

const taskMs = (run: CostRun): number => run.taskMs
const isCut = (run: CostRun): run is CutRun => run.ending !== undefined
const cutOf = ({ runs }: Cost): CutRun | undefined => runs.find(isCut)

const ENDED = { 'cut off': 'which was', crashed: 'which' } as const

/** Ours over a peer's in the rounds that both have. */
function ratioTo(ours: Cost, peer: Cost): Ratio[] {
  const pairs = peer.runs.flatMap((run) => {
    const same = ours.runs.find(({ round }) => round === run.round)
    return same ? [[same, run] as const] : []
  })
  if (pairs.length === 0) return []
  const value = ratioOf(
    pairs.map(([our]) => our.taskMs),
    pairs.map(([, their]) => their.taskMs),
  )
  const name = `main-thread time over ${peer.library.name}’s`
  const cut = cutOf(peer)
  return [
    cut
      ? { name: `${name}, ${ENDED[cut.ending.how]} ${endingText(cut.ending)}`, value, isCeiling: true }
      : { name, value },
  ]
}

/** Ours over each peer's, round by round; the best lossless peer is what the target speaks of. */
export function costRatios(costs: readonly Cost[], isLossless: (library: string) => boolean): Ratio[] {
  const ours = costs.find(({ library }) => library.name === OURS)
  // What was cut off itself is no measure of others.
  if (!ours || cutOf(ours)) return []
  const others = costs.filter(({ library, runs }) => library.name !== OURS && runs.length > 0)
  const best = others
    .filter((cost) => isLossless(cost.library.name) && !cutOf(cost))
    .toSorted((a, b) => median(a.runs.map(taskMs)) - median(b.runs.map(taskMs)))[0]
  return others.flatMap((cost) =>
    ratioTo(ours, cost).map((ratio) =>
      cost === best ? { ...ratio, name: `${ratio.name} (the best lossless one)`, atMost: MAX_OF_LOSSLESS } : ratio,
    ),
  )
}

const COLUMNS = [
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

type Cell = string | number

function rowOf(cost: Cost, events: number): Cell[] {
  const { library, runs } = cost
  const bundle = library.bundleBytes / KB
  if (runs.length === 0) return [library.name, ...Array<Cell>(COLUMNS.length - 2).fill('–'), bundle]
  const cut = cutOf(cost)
  const of = (what: (run: CostRun) => number | undefined, isKnown = !cut): Cell => {
    const values = runs.flatMap((run) => what(run) ?? [])
    if (values.length === 0) return '–'
    return isKnown ? median(values) : `≥ ${figure(median(values))}`
  }
  return [
    library.name,
    of(taskMs),
    of(({ scriptMs }) => scriptMs),
    // The calls had returned by then, wherever their time is known.
    of(({ callMs }) => callMs, true),
    cut ? endingText(cut.ending) : of(({ deliveredMs }) => deliveredMs),
    cut ? `${figure(cut.delivered)} of ${figure(events)}` : median(runs.map(({ delivered }) => delivered)),
    of(({ requests }) => requests),
    of(({ wireBytes }) => wireBytes / KB),
    bundle,
  ]
}

/** Of a library that was cut off: what is known, as `≥`, and when it was. */
export function costTable(costs: readonly Cost[], events: number): Table {
  const title = `A burst of ${figure(events)} events in one task, medians`
  return { title, columns: COLUMNS, rows: costs.map((cost) => rowOf(cost, events)) }
}

export function costBars(costs: readonly Cost[]): Bar[] {
  return costs
    .filter(({ runs }) => runs.length > 0)
    .map((cost) => {
      const { name } = cost.library
      const value = median(cost.runs.map(taskMs))
      const bar = { label: name, value, highlight: name === OURS }
      const cut = cutOf(cost)
      return cut ? { ...bar, label: `${name} (${cut.ending.how})`, text: `≥ ${figure(value)}` } : bar
    })
    .toSorted((a, b) => a.value - b.value)
}

/** How the time read from outside stands to the page's own, where both are known. */
function outsideNotes(costs: readonly Cost[]): string[] {
  const compared = costs
    .flatMap(({ runs }) => runs)
    .flatMap(({ taskMs: ms, outsideMs }) => (outsideMs !== undefined && ms >= MIN_COMPARED_MS ? [outsideMs / ms] : []))
  const how = 'The time of a page that does not answer is read from the system, as its main thread’s processor time.'
  if (compared.length === 0) return [how]
  return [`${how} In runs that ended well that was ×${spread(spreadOf(compared))} of the task time.`]
}

/** What one has to know of those that were cut off or failed, and of how the time of the former is known. */
export function costNotes(costs: readonly Cost[], events: number): string[] {
  const cuts = costs.flatMap((cost) => {
    const run = cutOf(cost)
    if (!run) return []
    const of = `${figure(run.delivered)} of ${figure(events)} events delivered`
    return [`${cost.library.name}: at least ${figure(run.taskMs)} ms, ${of}, ${endingText(run.ending)}.`]
  })
  return [
    ...cuts,
    ...(cuts.length > 0 ? outsideNotes(costs) : []),
    ...costs.flatMap(({ library, failures }) => failures.map((text) => `${library.name}: ${text}`)),
  ]
}
