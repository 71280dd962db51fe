import type { OutboxTotals, StreamSummary } from '../contract.ts'
import { summaryOf, waitingBytes, waitingEvents } from './accounting.ts'
import { noProgress } from './progress.ts'
import { type StreamRows, streamRows } from './state.ts'
import type { Tables } from './tables.ts'

/** What waits, from the streams' counters alone: no segment is read. */
export async function totalsOf(tables: Tables): Promise<OutboxTotals> {
  const [rows, deadLetters] = await Promise.all([streamRows(tables), tables.deadCount()])
  return totalsFrom(rows, deadLetters)
}

export function totalsFrom({ heads, progress }: StreamRows, deadLetters: number): OutboxTotals {
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
  const { heads, progress } = await streamRows(tables)
  return heads.map((head) => summaryOf(head, progress.get(head.stream) ?? noProgress(head.stream)))
}
