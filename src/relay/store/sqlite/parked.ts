import { eventId } from '../../../meter/contract.ts'
import type { Sqlite } from '../../../sqlite/contract.ts'
import type { ParkedDelivery, ParkedVerdict } from '../contract.ts'
import { firstOf } from '../core/chunk-format.ts'
import { MAX_EVENTS_SHOWN, PARKED_LIMIT, type ParkedRow } from '../core/delivery-row.ts'
import type { Chunks } from './chunks.ts'
import type { Deliveries } from './deliveries.ts'

export interface Parked {
  park(id: string, reason: string, nowMs: number): void
  list(filter: { lane?: string; limit?: number }): ParkedDelivery[]
  /** False when no such delivery is parked. */
  resolve(id: string, verdict: ParkedVerdict, nowMs: number): boolean
}

/** Deliveries that wait for the operator. All but list() run inside a transaction of the caller. */
export function createParked(
  db: Sqlite,
  { deliveries, chunks }: { deliveries: Deliveries; chunks: Pick<Chunks, 'read'> },
): Parked {
  const park = db.prepare(`
    UPDATE deliveries SET parked_reason = ?, parked_at_ms = ?, owner = NULL, lease_until_ms = 0 WHERE id = ?`)
  const list = db.prepare(`
    SELECT id, lane, rows, attempts, oldest_at_ms AS oldestAtMs, doubt_since_ms AS doubt, parked_reason AS reason,
      parked_at_ms AS parkedAtMs, runs
    FROM deliveries WHERE parked_at_ms IS NOT NULL AND (?1 IS NULL OR lane = ?1)
    ORDER BY parked_at_ms, id LIMIT ?2`)
  const find = db.prepare('SELECT parked_reason AS reason FROM deliveries WHERE id = ? AND parked_at_ms IS NOT NULL')
  const resend = db.prepare(`
    UPDATE deliveries SET parked_reason = NULL, parked_at_ms = NULL, doubt_since_ms = NULL, not_before_ms = 0
    WHERE id = ?`)

  function toParked({ runs, doubt, ...row }: ParkedRow): ParkedDelivery {
    const shown = chunks.read(firstOf(JSON.parse(runs), MAX_EVENTS_SHOWN))
    const events = shown.map(({ event }) => eventId(event.stream, event.seq))
    return { ...row, events, ...(doubt === null ? {} : { doubtSinceMs: doubt }) }
  }

  return {
    park(id, reason, nowMs) {
      park.run(reason, nowMs, id)
    },
    list({ lane, limit = PARKED_LIMIT }) {
      const rows = list.all(lane ?? null, limit)
      return rows.map((row) => toParked(row as unknown as ParkedRow))
    },
    resolve(id, verdict, nowMs) {
      const row = find.get(id)
      if (!row) return false
      if (verdict === 'resend') resend.run(id)
      else if (verdict === 'accepted') deliveries.accept(id, nowMs)
      else deliveries.bury(id, 'parked', String(row.reason), nowMs)
      return true
    },
  }
}
