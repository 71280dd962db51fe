import type { OutboxTotals } from '../outbox/contract.ts'
import type { FlushReason } from '../schedule/contract.ts'
import type { Counters } from './counters.ts'

/** Apart from the counters, since a page that only records has no need of it. */

export function countFlush({ flushes }: Counters, reason: FlushReason): void {
  flushes[reason] = (flushes[reason] ?? 0) + 1
}

/** So many have left: an estimate until the outbox is counted anew. */
export function countLeft(counters: Counters, events: number): void {
  const { waiting, waitingBytes } = counters
  const kept = Math.max(0, waiting - events)
  counters.waitingBytes = kept === 0 ? 0 : Math.round((waitingBytes * kept) / waiting)
  counters.waiting = kept
}

/** `events` of the request that begins; undefined when it is over. */
export function countRequest(counters: Counters, events: number | undefined): void {
  counters.inFlight = events ?? 0
  if (events !== undefined) counters.requests++
}

/** True when it differs from what was known. */
export function countAnew(counters: Counters, { events, bytes, deadLetters }: OutboxTotals): boolean {
  const isNews = events !== counters.waiting || bytes !== counters.waitingBytes || deadLetters !== counters.deadLetters
  counters.waiting = events
  counters.waitingBytes = bytes
  counters.deadLetters = deadLetters
  return isNews
}
