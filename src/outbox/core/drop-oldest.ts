import type { DropOptions, Segment } from '../contract.ts'
import { isResting, visibleSegments } from './claim.ts'
import { groupByStream } from './group-by-stream.ts'
import { noProgress } from './progress.ts'
import { dropSegments } from './purge.ts'
import { isSegment } from './sound-rows.ts'
import { hiddenRows, streamRows } from './state.ts'
import type { Tables } from './tables.ts'

/** See Outbox.dropOldest. Reads no more segments than it drops, and damaged ones. */
export async function dropOldestIn(tables: Tables, options: DropOptions): Promise<number> {
  const { reason, accountTag, nowMs } = options
  const [{ heads, progress }, { hidden }] = await Promise.all([streamRows(tables), hiddenRows(tables)])
  const chosen = heads.filter((head) => accountTag === undefined || head.accountTag === accountTag)
  const streams = new Set(chosen.map(({ stream }) => stream))
  const resting = hidden.filter((row) => isResting(row, nowMs) && streams.has(row.stream))
  const visible = visibleSegments(tables, resting, (stream) => streams.has(stream))
  let dropped = 0
  for (const [stream, segments] of groupByStream(await oldest(visible, options.bytes))) {
    const draft = dropSegments(tables, progress.get(stream) ?? noProgress(stream), segments, reason)
    // What is left of a lease or a deferral that is over.
    for (const { first } of segments) tables.deleteHidden(stream, first, first)
    tables.putProgress(draft.progress)
    dropped += draft.dropped
  }
  return dropped
}

async function oldest(visible: AsyncIterable<Segment>, bytes: number): Promise<Segment[]> {
  const segments: Segment[] = []
  let freed = 0
  if (!(bytes > 0)) return segments
  for await (const segment of visible) {
    if (!isSegment(segment)) continue
    segments.push(segment)
    freed += segment.bytes
    if (freed >= bytes) break
  }
  return segments
}
