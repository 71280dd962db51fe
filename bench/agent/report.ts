import type { Run } from '../browser/measure.ts'
import type { Observed } from '../browser/watch.ts'
import type { Chart, Ratio, Report, Table } from '../contract.ts'
import { figure } from '../harness/format.ts'
import { median, ratioOf, spreadOf } from '../harness/stats.ts'
import type { AgentCase } from './cases.ts'
import type { AgentSubject } from './subjects.ts'

export interface CaseResult {
  readonly case: AgentCase
  readonly timed: Readonly<Record<AgentSubject, readonly Run[]>>
  /** Under a trace. */
  readonly observed: Readonly<Record<AgentSubject, readonly Run[]>>
}

/** The targets: main-thread time over the floor's, and the longest task, by the size of the burst. */
const MAX_OVER_FLOOR = 1.5
const MAX_TASK_MS: Readonly<Record<number, number>> = { 5000: 8, 100000: 16 }

const workMs = ({ taskMs }: Run): number => taskMs
const KIB = 1_024

function ratiosOf({ case: { name, events, pace, warmUpEvents }, timed, observed }: CaseResult): Ratio[] {
  const over = (of: (run: Run) => number) => ratioOf(timed.metertap.map(of), timed.floor.map(of))
  const isTarget = events === 5_000 && pace.kind === 'burst' && warmUpEvents === 0
  const ratios: Ratio[] = [
    {
      name: `${name}: main-thread time over the floor`,
      value: over(workMs),
      ...(isTarget && { atMost: MAX_OVER_FLOOR }),
    },
    { name: `${name}: bytes on the wire over the floor`, value: over(({ wireBytes }) => wireBytes) },
  ]
  if (observed.metertap.length === 0) return ratios
  const seen = (subject: AgentSubject, what: keyof Observed) =>
    observed[subject].map((run) => run.observed?.[what] ?? Number.NaN)
  const atMost = pace.kind === 'burst' ? MAX_TASK_MS[events] : undefined
  const longest = spreadOf(seen('metertap', 'longestTaskMs'))
  ratios.push({ name: `${name}: longest task but the recording one, ms`, value: longest, ...(atMost && { atMost }) })
  if (pace.kind === 'steady') return ratios
  const recording = ratioOf(seen('metertap', 'recordingTaskMs'), seen('floor', 'recordingTaskMs'))
  return [...ratios, { name: `${name}: the recording task over the floor's`, value: recording }]
}

function medianOf(runs: readonly Run[], of: (run: Run) => number | undefined): string {
  const values = runs.flatMap((run) => of(run) ?? [])
  return values.length === 0 ? '–' : figure(median(values))
}

function rowsOf({ case: { name }, timed, observed }: CaseResult): string[][] {
  return (['metertap', 'floor'] as const).map((subject) => {
    const of = (what: (run: Run) => number | undefined) => medianOf(timed[subject], what)
    const seen = (what: keyof Observed, unit = 1) =>
      medianOf(observed[subject], (run) => run.observed && run.observed[what] / unit)
    return [
      `${name}, ${subject}`,
      of(({ taskMs }) => taskMs),
      of(({ scriptMs }) => scriptMs),
      of(({ callMs }) => callMs),
      seen('recordingTaskMs'),
      seen('longestTaskMs'),
      of(({ durableMs }) => durableMs),
      of(({ deliveredMs }) => deliveredMs),
      of(({ transactions }) => transactions),
      of(({ requests }) => requests),
      of(({ wireBytes }) => wireBytes),
      seen('peakHeapBytes', KIB),
      of(({ heldHeapBytes }) => heldHeapBytes / KIB),
    ]
  })
}

const COLUMNS = [
  'case, subject',
  'task ms',
  'script ms',
  'record() ms',
  'recording task ms',
  'longest other task ms',
  'durable ms',
  'delivered ms',
  'idb tx',
  'requests',
  'wire bytes',
  'heap peak KiB',
  'held KiB',
]

function chartOf(results: readonly CaseResult[]): Chart[] {
  const big = results.find(({ case: { events, pace } }) => events === 5_000 && pace.kind === 'burst')
  if (!big) return []
  const bars = (['metertap', 'floor'] as const).map((subject) => ({
    label: subject === 'floor' ? 'least code (no safety at all)' : subject,
    value: median(big.timed[subject].map(workMs)),
    highlight: subject === 'metertap',
  }))
  return [{ name: 'agent', title: 'Main-thread time for a burst of 5,000 events', unit: 'ms of processor time', bars }]
}

export function agentReport(results: readonly CaseResult[]): Report {
  const table: Table = { title: 'Medians', columns: COLUMNS, rows: results.flatMap(rowsOf) }
  return {
    ratios: results.flatMap(ratiosOf),
    tables: results.length > 0 ? [table] : [],
    charts: chartOf(results),
    notes: [
      'Task and script time are the browser’s own metrics (TaskDuration, ScriptDuration) in processor time of the page’s main thread, from the first record() until all is delivered and quiet.',
      'Longest task and peak heap come from rounds of their own under a trace: a task as the scheduler sees it, by processor time. The recording task is the caller’s loop of record() with the first write at its end.',
      'Each run is a new Chromium on a new profile; the floor validates nothing, retries nothing and survives nothing but its group.',
    ],
  }
}
