import type { PurgeOptions, Segment } from '../contract.ts'
import { depart, noProgress } from './accounting.ts'
import { byStream, type Progress, type Tables } from './tables.ts'

/** See Outbox.purge. */
export async function purgeIn(tables: Tables, { reason, accountTag }: PurgeOptions): Promise<number> {
  const [heads, progress] = await Promise.all([tables.heads(), tables.progress()])
  const known = byStream(progress)
  let dropped = 0
  for (const head of heads) {
    if (accountTag !== undefined && head.accountTag !== accountTag) continue
    const rows = await tables.segmentsWithin(head.stream, 0, Number.POSITIVE_INFINITY)
    if (rows.length === 0) continue
    const outcome = dropRows(known.get(head.stream) ?? noProgress(head.stream), rows, reason)
    tables.deleteSegments(head.stream, 0, Number.POSITIVE_INFINITY)
    tables.deleteHidden(head.stream, 0, Number.POSITIVE_INFINITY)
    tables.putProgress(outcome.progress)
    dropped += outcome.dropped
  }
  return dropped
}

function dropRows(before: Progress, rows: readonly Segment[], reason: string): { progress: Progress; dropped: number } {
  let progress = before
  let dropped = 0
  for (const row of rows) {
    const left = depart(progress, row.first, row.first + row.count - 1, { dropped: reason })
    progress = { ...left.progress, goneBytes: left.progress.goneBytes + row.bytes }
    dropped += left.count
  }
  return { progress, dropped }
}
