import type { Claim, ClaimOptions, Hidden, Quarantined, Segment, StreamHead } from '../contract.ts'
import { isReported } from './accounting.ts'
import { noProgress, reportOf } from './progress.ts'
import { isSegment, sealedDamage, segmentDamage } from './sound-rows.ts'
import { type FoundRows, hiddenRows, type Stray, streamRows } from './state.ts'
import { byStream, type Progress, type SegmentKey, type Tables } from './tables.ts'

/** Reports of streams without a segment in the claim: a bound, so that a batch stays small. */
const MAX_EXTRA_REPORTS = 100
/** Small corrections of a clock do not end a lease. */
const CLOCK_SLACK_MS = 60_000
/** Damaged rows that one claim reads before it stops. */
const MAX_STRAYS = 100

/** A claim, and the damaged rows it met. */
export interface Claimed {
  readonly claim: Claim | undefined
  readonly strays: readonly Stray[]
}

/**
 * See Outbox.claim. Of the streams asked for it takes at most one segment more than it returns, and damaged ones; a home
 * that reads several at once may read as many again. `found`: the streams' rows, where they are known.
 */
export async function claimFrom(tables: Tables, options: ClaimOptions, found?: FoundRows): Promise<Claimed> {
  const [rows, hiding] = await Promise.all([found ?? streamRows(tables), hiddenRows(tables)])
  const strays = [...rows.strays, ...hiding.strays]
  const known = new Set(rows.heads.map(({ stream }) => stream))
  const heads = byStream(rows.heads.filter((head) => head.accountTag === options.accountTag))
  const hidden = hiding.hidden.filter((row) => isResting(row, options.nowMs) && heads.has(row.stream))
  // Without a head nobody knows whose events they are: such rows are looked at, too.
  const wanted = (stream: string) => heads.has(stream) || !known.has(stream)
  const isIntact = ({ stream, first, count }: Segment) =>
    !rows.progress.get(stream)?.gone.some(([from, to]) => from < first + count && to >= first)
  const visible = visibleSegments(tables, hidden, wanted, options.verify ? undefined : isIntact)
  const taken = await take(visible, options, (row) => damageOf(row, known, options.verify), strays)
  if (options.leaseMs > 0) {
    const { nowMs: hiddenAtMs, leaseMs } = options
    const times = { hiddenAtMs, visibleAtMs: hiddenAtMs + leaseMs }
    for (const { stream, first, count } of taken.segments) tables.putHidden({ stream, first, count, ...times })
  }
  const reporting = chooseReports(heads, rows.progress, taken.segments, hidden)
  if (taken.segments.length === 0 && reporting.reports.length === 0) return { claim: undefined, strays }
  const more = taken.more || reporting.more
  return { claim: { segments: taken.segments, reports: reporting.reports, more }, strays }
}

/** Gives a claim's segments back, visible at once. */
export function releaseIn(tables: Tables, claim: Claim): void {
  for (const { stream, first } of claim.segments) tables.deleteHidden(stream, first, first)
}

/** Whether a segment is hidden now. A clock that was set back ends the wait, or it would last as long as the step. */
export function isResting({ hiddenAtMs, visibleAtMs }: Hidden, nowMs: number): boolean {
  return visibleAtMs > nowMs && hiddenAtMs <= nowMs + CLOCK_SLACK_MS
}

/** Reads around the hidden segments, so that a large deferred backlog costs nothing. */
export async function* visibleSegments(
  tables: Tables,
  hidden: readonly Hidden[],
  wanted: (stream: string) => boolean,
  isIntact?: (segment: Segment) => boolean,
): AsyncGenerator<Segment> {
  let from: SegmentKey | undefined
  for (const { stream, first, count } of [...hidden].sort(byKey)) {
    const adjacent = from?.[0] === stream && from[1] === first
    if (!adjacent) yield* tables.segments(from, [stream, first], wanted, isIntact)
    from = [stream, first + count]
  }
  yield* tables.segments(from, undefined, wanted, isIntact)
}

function damageOf(row: unknown, known: ReadonlySet<string>, verify = false): Quarantined['reason'] | undefined {
  if (isSegment(row) && !known.has(row.stream)) return 'no_head'
  return verify ? segmentDamage(row) : sealedDamage(row)
}

async function take(
  visible: AsyncIterable<Segment>,
  { maxBytes, maxEvents }: ClaimOptions,
  damageOf: (row: unknown) => Quarantined['reason'] | undefined,
  strays: Stray[],
): Promise<{ segments: Segment[]; more: boolean }> {
  const segments: Segment[] = []
  let bytes = 0
  let events = 0
  for await (const segment of visible) {
    const reason = damageOf(segment)
    if (reason !== undefined) {
      strays.push({ store: 'segments', reason, row: segment })
      if (strays.length >= MAX_STRAYS) return { segments, more: true }
      continue
    }
    bytes += segment.bytes
    events += segment.count
    if (segments.length > 0 && (bytes > maxBytes || events > maxEvents)) return { segments, more: true }
    segments.push(segment)
  }
  return { segments, more: false }
}

function byKey(a: Hidden, b: Hidden): number {
  if (a.stream === b.stream) return a.first - b.first
  return a.stream < b.stream ? -1 : 1
}

function chooseReports(
  heads: ReadonlyMap<string, StreamHead>,
  progress: ReadonlyMap<string, Progress>,
  segments: readonly Segment[],
  hidden: readonly Hidden[],
): Pick<Claim, 'reports' | 'more'> {
  const named = new Set(segments.map((segment) => segment.stream))
  const hiding = new Set(hidden.map((each) => each.stream))
  const progressOf = (head: StreamHead) => progress.get(head.stream) ?? noProgress(head.stream)
  // A stream with a hidden segment reports with it, or the holder of the lease is reporting right now.
  const extra = [...heads.values()].filter(
    (head) => !named.has(head.stream) && !hiding.has(head.stream) && !isReported(head, progressOf(head)),
  )
  const chosen = [...heads.values()].filter((head) => named.has(head.stream))
  return {
    reports: [...chosen, ...extra.slice(0, MAX_EXTRA_REPORTS)].map((head) => reportOf(head, progressOf(head))),
    more: extra.length > MAX_EXTRA_REPORTS,
  }
}
