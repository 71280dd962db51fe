import type { AppendGroup } from '../contract.ts'
import { hasLeft, weight } from './accounting.ts'
import { checkGroup } from './check-group.ts'
import { noProgress } from './progress.ts'
import { putGroup } from './put-group.ts'
import { streamRows } from './state.ts'
import { bytesIn, eventsIn } from './sums.ts'
import { byStream, type Tables } from './tables.ts'
import { sumOf } from './tallies.ts'

/** See Outbox.restore. */
export async function restoreIn(tables: Tables, group: AppendGroup): Promise<number> {
  const { head, segments, rollups = [], closed = [], hidden = [] } = group
  const [rows, windows, waiting] = await Promise.all([
    streamRows(tables),
    tables.rollups(),
    tables.segmentsWithin(head.stream, 0, Number.POSITIVE_INFINITY),
  ])
  const known = byStream(rows.heads).get(head.stream)
  checkGroup(group, known)
  const progress = rows.progress.get(head.stream) ?? noProgress(head.stream)
  const open = new Set(windows.filter(({ stream }) => stream === head.stream).map(({ seq }) => seq))
  const waits = (seq: number) => waiting.some(({ first, count }) => first <= seq && seq < first + count)
  // Head and events are stored in one transaction: a number below the stored head's count had its turn, …
  // … unless a later group was stored and its own failed. What its owner has given up looks the same, and does not come back.
  const isNew = (seq: number) =>
    !hasLeft(progress, seq) && !(known && seq < known.recorded && (sumOf(known.dropped) || open.has(seq) || waits(seq)))
  // But the number of a window is counted from its first sum on; the last sum had no turn while the window is open.
  const isOwed = (seq: number) => isNew(seq) || (closed.includes(seq) && open.has(seq))
  const missing = {
    segments: segments.filter(({ first }) => isOwed(first)),
    rollups: rollups.filter(({ seq }) => isNew(seq)),
    closed: closed.filter(isOwed),
    hidden: hidden.filter(({ first }) => isNew(first)),
  }
  const events = eventsIn(missing.segments) + missing.rollups.filter(({ seq }) => !closed.includes(seq)).length
  // An owner that lives on may have said more since.
  const isOutdated = known && weight(known) >= weight(head)
  if (isOutdated && events === 0) return 0
  const newest = isOutdated
    ? { ...known, bytes: known.bytes + bytesIn(segments.filter(({ first }) => open.has(first))) }
    : head
  putGroup(tables, { ...missing, head: newest, strict: false })
  return events
}
