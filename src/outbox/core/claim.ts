import type { Claim, ClaimOptions, Segment, StreamHead } from '../contract.ts'
import { isReported, noProgress, reportOf } from './accounting.ts'
import { byStream, type Hidden, type Progress, type Tables } from './tables.ts'

/** Reports of streams without a segment in the claim: a bound, so that a batch stays small. */
const MAX_EXTRA_REPORTS = 100

/** See Outbox.claim. Reads at most one segment more than it returns. */
export async function claimFrom(tables: Tables, options: ClaimOptions): Promise<Claim | undefined> {
  const [allHeads, allProgress, hidden] = await Promise.all([tables.heads(), tables.progress(), tables.hidden()])
  const holes = holesByStream(hidden, options.nowMs)
  const heads = new Map(
    allHeads.filter((head) => head.accountTag === options.accountTag).map((head) => [head.stream, head]),
  )
  const taken = await take(tables, heads, holes, options)
  if (options.leaseMs > 0) {
    const visibleAtMs = options.nowMs + options.leaseMs
    for (const { stream, first } of taken.segments) tables.putHidden({ stream, first, visibleAtMs })
  }
  const reporting = chooseReports(heads, byStream(allProgress), taken.segments, holes)
  if (taken.segments.length === 0 && reporting.reports.length === 0) return undefined
  return { segments: taken.segments, reports: reporting.reports, more: taken.more || reporting.more }
}

/** Gives a claim's segments back, visible at once. */
export function releaseIn(tables: Tables, claim: Claim): void {
  for (const { stream, first } of claim.segments) tables.deleteHidden(stream, first, first)
}

async function take(
  tables: Tables,
  heads: ReadonlyMap<string, StreamHead>,
  holes: ReadonlyMap<string, number[]>,
  options: ClaimOptions,
): Promise<{ segments: Segment[]; more: boolean }> {
  const segments: Segment[] = []
  let bytes = 0
  let events = 0
  let stream = await tables.nextStream(undefined)
  while (stream !== undefined) {
    if (heads.has(stream)) {
      for await (const segment of visibleSegments(tables, stream, holes.get(stream) ?? [])) {
        bytes += segment.bytes
        events += segment.count
        const full = bytes > options.maxBytes || events > options.maxEvents
        if (full && segments.length > 0) return { segments, more: true }
        segments.push(segment)
      }
    }
    stream = await tables.nextStream(stream)
  }
  return { segments, more: false }
}

/** Reads around the hidden segments, so that a large deferred backlog costs nothing. */
async function* visibleSegments(tables: Tables, stream: string, holes: readonly number[]): AsyncGenerator<Segment> {
  let from = 0
  for (const hole of [...holes, Number.POSITIVE_INFINITY]) {
    if (from < hole) yield* tables.segments(stream, from, hole)
    from = hole + 1
  }
}

function holesByStream(hidden: readonly Hidden[], nowMs: number): Map<string, number[]> {
  const holes = new Map<string, number[]>()
  for (const { stream, first, visibleAtMs } of hidden) {
    if (visibleAtMs <= nowMs) continue
    const firsts = holes.get(stream)
    if (firsts) firsts.push(first)
    else holes.set(stream, [first])
  }
  for (const firsts of holes.values()) firsts.sort((a, b) => a - b)
  return holes
}

function chooseReports(
  heads: ReadonlyMap<string, StreamHead>,
  progress: ReadonlyMap<string, Progress>,
  segments: readonly Segment[],
  holes: ReadonlyMap<string, unknown>,
): Pick<Claim, 'reports' | 'more'> {
  const named = new Set(segments.map((segment) => segment.stream))
  const progressOf = (head: StreamHead) => progress.get(head.stream) ?? noProgress(head.stream)
  // A stream with a hidden segment reports with it, or the holder of the lease is reporting right now.
  const extra = [...heads.values()].filter(
    (head) => !named.has(head.stream) && !holes.has(head.stream) && !isReported(head, progressOf(head)),
  )
  const chosen = [...heads.values()].filter((head) => named.has(head.stream))
  return {
    reports: [...chosen, ...extra.slice(0, MAX_EXTRA_REPORTS)].map((head) => reportOf(head, progressOf(head))),
    more: extra.length > MAX_EXTRA_REPORTS,
  }
}
