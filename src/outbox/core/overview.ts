import type { OutboxTotals, StreamSummary } from '../contract.ts'
import { noProgress, summaryOf, waitingBytes, waitingEvents } from './accounting.ts'
import { byStream, type Tables } from './tables.ts'

/** What waits, from the streams' counters alone: no segment is read. */
export async function totalsOf(tables: Tables): Promise<OutboxTotals> {
  const [heads, rows, deadLetters] = await Promise.all([tables.heads(), tables.progress(), tables.deadCount()])
  const progress = byStream(rows)
  let events = 0
  let bytes = 0
  for (const head of heads) {
    const known = progress.get(head.stream) ?? noProgress(head.stream)
    events += waitingEvents(head, known)
    bytes += waitingBytes(head, known)
  }
  return { events, bytes, deadLetters }
}

export async function summariesOf(tables: Tables): Promise<StreamSummary[]> {
  const [heads, rows] = await Promise.all([tables.heads(), tables.progress()])
  const progress = byStream(rows)
  return heads.map((head) => summaryOf(head, progress.get(head.stream) ?? noProgress(head.stream)))
}
