import type { Claim, ClaimOptions, Segment, StreamHead } from '../contract.ts'
import { isReported, noProgress, reportOf } from './accounting.ts'
import { byStream, type Hidden, type Progress, type SegmentKey, type Tables } from './tables.ts'

/** Reports of streams without a segment in the claim: a bound, so that a batch stays small. */
const MAX_EXTRA_REPORTS = 100

/** See Outbox.claim. Of the streams asked for it reads at most one segment more than it returns. */
export async function claimFrom(tables: Tables, options: ClaimOptions): Promise<Claim | undefined> {
  const [allHeads, allProgress, allHidden] = await Promise.all([tables.heads(), tables.progress(), tables.hidden()])
  const heads = byStream(allHeads.filter((head) => head.accountTag === options.accountTag))
  const wanted = (stream: string) => heads.has(stream)
  const hidden = allHidden.filter(({ stream, visibleAtMs }) => visibleAtMs > options.nowMs && wanted(stream))
  const taken = await take(visibleSegments(tables, hidden, wanted), options)
  if (options.leaseMs > 0) {
    const visibleAtMs = options.nowMs + options.leaseMs
    for (const { stream, first, count } of taken.segments) tables.putHidden({ stream, first, count, visibleAtMs })
  }
  const reporting = chooseReports(heads, byStream(allProgress), taken.segments, hidden)
  if (taken.segments.length === 0 && reporting.reports.length === 0) return undefined
  return { segments: taken.segments, reports: reporting.reports, more: taken.more || reporting.more }
}

/** Gives a claim's segments back, visible at once. */
export function releaseIn(tables: Tables, claim: Claim): void {
  for (const { stream, first } of claim.segments) tables.deleteHidden(stream, first, first)
}

async function take(
  visible: AsyncIterable<Segment>,
  { maxBytes, maxEvents }: ClaimOptions,
): Promise<{ segments: Segment[]; more: boolean }> {
  const segments: Segment[] = []
  let bytes = 0
  let events = 0
  for await (const segment of visible) {
    bytes += segment.bytes
    events += segment.count
    if (segments.length > 0 && (bytes > maxBytes || events > maxEvents)) return { segments, more: true }
    segments.push(segment)
  }
  return { segments, more: false }
}

/** Reads around the hidden segments, so that a large deferred backlog costs nothing. */
async function* visibleSegments(
  tables: Tables,
  hidden: readonly Hidden[],
  wanted: (stream: string) => boolean,
): AsyncGenerator<Segment> {
  let from: SegmentKey | undefined
  for (const { stream, first, count } of [...hidden].sort(byKey)) {
    const adjacent = from?.[0] === stream && from[1] === first
    if (!adjacent) yield* tables.segments(from, [stream, first], wanted)
    from = [stream, first + count]
  }
  yield* tables.segments(from, undefined, wanted)
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
