import { randomUUID } from 'node:crypto'
import type { MeterBook, Posting } from './book.ts'
import { CODES } from './error-bodies.ts'
import type { RowProblem } from './ingest.ts'
import type { WritableLedger } from './ledger.ts'

/** One call's rows after every check: what goes into the ledger and what dies in the audit trail. */
export interface StoreOrder extends Posting {
  readonly trackId: string | undefined
  readonly failed: readonly RowProblem[]
  /** The error code of the failed rows. */
  readonly code: number
}

/** Stores the rows and writes the audit trail. Gives the number of rows that became billable. */
export function storeRows(order: StoreOrder, book: MeterBook, ledger: WritableLedger): number {
  const { atMs, rows, accepted, failed, trackId } = order
  const callId = randomUUID()
  const note = (index: number, code: number, message: string, operator: 'source' | 'deduplicator'): void =>
    ledger.noteAudit({
      atMs,
      meter: book.meter.id,
      code: String(code),
      message,
      payload: rows[index] ?? {},
      eventId: `${callId}|${index}`,
      traceId: `${callId}|${index}_${operator}`,
      ...(trackId !== undefined && { trackId }),
      operator,
    })
  for (const { index, message } of failed) note(index, order.code, message, 'source')
  if (failed.length > 0) book.noteFailedLater(atMs, String(order.code), failed.length)
  if (accepted.length === 0) return 0
  const stopped = book.post(order, String(CODES.duplicate))
  for (const index of stopped) note(index, CODES.duplicate, 'The event is a duplicate.', 'deduplicator')
  return accepted.length - stopped.length
}
