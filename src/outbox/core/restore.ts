import type { AppendGroup, StreamHead } from '../contract.ts'
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
  const [rows, windows] = await Promise.all([streamRows(tables), tables.rollups()])
  const known = byStream(rows.heads).get(head.stream)
  checkGroup(group, known)
  const progress = rows.progress.get(head.stream) ?? noProgress(head.stream)
  const open = new Set(windows.filter(({ stream }) => stream === head.stream).map(({ seq }) => seq))
  const waits = await waitingIn(tables, head.stream)
  // Head and events are stored in one transaction: a number below the stored head's count had its turn, …
  const hadTurn = (seq: number) => seq < (known?.recorded ?? 0)
  // … unless a later group was stored and this one failed. What its owner has given up looks the same, and does not come back.
  const isNew = (seq: number) =>
    !hasLeft(progress, seq) && (!hadTurn(seq) || (sumOf(known?.dropped) === 0 && !open.has(seq) && !waits(seq)))
  // But the number of a window is counted from its first sum on; the last sum had no turn while the window is open.
  const isLastSum = (seq: number) => closed.includes(seq) && open.has(seq)
  const isOwed = (seq: number) => isNew(seq) || isLastSum(seq)
  const missing = {
    segments: segments.filter(({ first }) => isOwed(first)),
    rollups: rollups.filter(({ seq }) => isNew(seq)),
    closed: closed.filter(isOwed),
    hidden: hidden.filter(({ first }) => isNew(first)),
  }
  const events = eventsIn(missing.segments) + missing.rollups.filter(({ seq }) => !closed.includes(seq)).length
  if (known && isAsNew(known, head) && events === 0) return 0
  const moreBytes = bytesIn(missing.segments.filter(({ first }) => open.has(first)))
  putGroup(tables, { ...missing, head: newestHead(known, head, moreBytes), strict: false })
  return events
}

/** Whether a number has a row. */
async function waitingIn(tables: Tables, stream: string): Promise<(seq: number) => boolean> {
  const rows = await tables.segmentsWithin(stream, 0, Number.POSITIVE_INFINITY)
  return (seq) => rows.some(({ first, count }) => first <= seq && seq < first + count)
}

/** An owner that lives on may have said more since. */
function newestHead(known: StreamHead | undefined, head: StreamHead, moreBytes: number): StreamHead {
  return known && isAsNew(known, head) ? { ...known, bytes: known.bytes + moreBytes } : head
}

function isAsNew(known: StreamHead, head: StreamHead): boolean {
  return weight(known) >= weight(head)
}
