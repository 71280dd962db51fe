import type { PurgeOptions, Segment } from '../contract.ts'
import { depart } from './accounting.ts'
import { noProgress } from './progress.ts'
import { isSegment, rollupDamage } from './sound-rows.ts'
import { streamRows } from './state.ts'
import type { Progress, Tables } from './tables.ts'

/** See Outbox.purge. Damaged rows are left for a claim to set aside. */
export async function purgeIn(tables: Tables, { reason, accountTag }: PurgeOptions): Promise<number> {
  const [{ heads, progress }, rollups] = await Promise.all([streamRows(tables), tables.rollups()])
  let dropped = 0
  for (const { stream, accountTag: tag } of heads) {
    if (accountTag !== undefined && tag !== accountTag) continue
    const segments = (await tables.segmentsWithin(stream, 0, Number.POSITIVE_INFINITY)).filter(isSegment)
    const running = rollups.filter((each) => each.stream === stream && rollupDamage(each) === undefined)
    if (segments.length === 0 && running.length === 0) continue
    let draft = dropSegments(tables, progress.get(stream) ?? noProgress(stream), segments, reason)
    for (const { seq } of running) {
      const left = depart(draft.progress, seq, seq, { dropped: reason })
      draft = { progress: left.progress, dropped: draft.dropped + left.count }
      tables.deleteRollup(stream, seq)
    }
    tables.deleteHidden(stream, 0, Number.POSITIVE_INFINITY)
    tables.putProgress(draft.progress)
    dropped += draft.dropped
  }
  return dropped
}

/** Deletes these segments of one stream and counts, as dropped, the events that had not left before. */
export function dropSegments(
  tables: Tables,
  before: Progress,
  segments: readonly Segment[],
  reason: string,
): { progress: Progress; dropped: number } {
  let progress = before
  let dropped = 0
  for (const { stream, first, count, bytes } of segments) {
    const left = depart(progress, first, first + count - 1, { dropped: reason })
    progress = { ...left.progress, goneBytes: left.progress.goneBytes + bytes }
    dropped += left.count
    tables.deleteSegments(stream, first, first)
  }
  return { progress, dropped }
}
