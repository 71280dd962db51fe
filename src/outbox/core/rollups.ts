import type { Rollup } from '../contract.ts'
import { hasLeft } from './accounting.ts'
import { groupByStream } from './group-by-stream.ts'
import { noProgress } from './progress.ts'
import { rollupDamage } from './sound-rows.ts'
import { sliceSegment } from './split-events.ts'
import { type Stray, streamRows } from './state.ts'
import type { Progress, Tables } from './tables.ts'

/** See Outbox.closeRollups; also gives the damaged rows it met. */
export async function closeRollupsIn(
  tables: Tables,
  streams: readonly string[],
): Promise<{ closed: number; strays: Stray[] }> {
  const [{ progress }, rollups] = await Promise.all([streamRows(tables), tables.rollups()])
  const wanted = new Set(streams)
  const strays: Stray[] = rollups.flatMap((row) => {
    const reason = rollupDamage(row)
    return reason ? [{ store: 'rollups' as const, reason, row }] : []
  })
  const sound = rollups.filter((each) => rollupDamage(each) === undefined && wanted.has(each.stream))
  let closed = 0
  for (const [stream, group] of groupByStream(sound)) {
    let draft = progress.get(stream) ?? noProgress(stream)
    for (const rollup of group) {
      const outcome = await close(tables, draft, rollup)
      draft = outcome.progress
      closed += outcome.closed
    }
    tables.putProgress(draft)
  }
  return { closed, strays }
}

async function close(
  tables: Tables,
  progress: Progress,
  { stream, seq, event }: Rollup,
): Promise<{ progress: Progress; closed: number }> {
  tables.deleteRollup(stream, seq)
  // Written again by an owner that had been taken for dead: its first sum has left, and a number leaves once.
  if (hasLeft(progress, seq)) return { progress, closed: 0 }
  const [known] = await tables.segmentsWithin(stream, seq, seq)
  if (known && known.count > 1) return { progress, closed: 0 }
  const segment = sliceSegment(stream, [event], seq, seq, seq)
  tables.putSegment(segment)
  // Its owner counts the bytes of segments that it appends itself; of this one it knows nothing.
  const bytes = segment.bytes - (known?.bytes ?? 0)
  return { progress: { ...progress, goneBytes: progress.goneBytes - bytes }, closed: known ? 0 : 1 }
}
