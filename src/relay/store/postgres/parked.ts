import { eventId } from '../../../meter/contract.ts'
import type { ParkedDelivery, ParkedVerdict } from '../contract.ts'
import { firstOf } from '../core/chunk-format.ts'
import { MAX_EVENTS_SHOWN, PARKED_LIMIT, type ParkedRow } from '../core/delivery-row.ts'
import type { Chunks } from './chunks.ts'
import type { Deliveries } from './deliveries.ts'
import { quoted, type Sql } from './sql.ts'

export interface Parked {
  park(sql: Sql, id: string, reason: string, nowMs: number): Promise<unknown>
  list(sql: Sql, filter: { lane?: string; limit?: number }): Promise<ParkedDelivery[]>
  /** False when no such delivery is parked. */
  resolve(sql: Sql, id: string, verdict: ParkedVerdict, nowMs: number): Promise<boolean>
}

/** Deliveries that wait for the operator. Everything here runs inside a transaction of the caller. */
export function createParked(
  schema: string,
  { deliveries, chunks }: { deliveries: Deliveries; chunks: Pick<Chunks, 'read'> },
): Parked {
  const table = `${quoted(schema)}.deliveries`

  async function toParked(sql: Sql, { runs, doubt, ...row }: ParkedRow): Promise<ParkedDelivery> {
    const shown = await chunks.read(sql, firstOf(JSON.parse(runs), MAX_EVENTS_SHOWN))
    const events = shown.map(({ event }) => eventId(event.stream, event.seq))
    return { ...row, events, ...(doubt === null ? {} : { doubtSinceMs: doubt }) }
  }

  return {
    park: (sql, id, reason, nowMs) =>
      sql(`UPDATE ${table} SET parked_reason = $1, parked_at_ms = $2, owner = NULL, lease_until_ms = 0 WHERE id = $3`, [
        reason,
        nowMs,
        id,
      ]),
    async list(sql, { lane, limit = PARKED_LIMIT }) {
      const rows = await sql<ParkedRow>(
        `SELECT id, lane, rows, attempts, oldest_at_ms AS "oldestAtMs", doubt_since_ms AS doubt, parked_reason AS reason,
          parked_at_ms AS "parkedAtMs", runs
        FROM ${table} WHERE parked_at_ms IS NOT NULL AND ($1::text IS NULL OR lane = $1)
        ORDER BY parked_at_ms, id LIMIT $2`,
        [lane ?? null, limit],
      )
      return Promise.all(rows.map((row) => toParked(sql, row)))
    },
    async resolve(sql, id, verdict, nowMs) {
      const [row] = await sql<{ reason: string | null }>(
        `SELECT parked_reason AS reason FROM ${table} WHERE id = $1 AND parked_at_ms IS NOT NULL FOR UPDATE`,
        [id],
      )
      if (!row) return false
      if (verdict === 'accepted') await deliveries.accept(sql, id, nowMs)
      else if (verdict === 'bury') await deliveries.bury(sql, id, 'parked', row.reason ?? '', nowMs)
      else {
        await sql(
          `UPDATE ${table} SET parked_reason = NULL, parked_at_ms = NULL, doubt_since_ms = NULL, not_before_ms = 0
          WHERE id = $1`,
          [id],
        )
      }
      return true
    },
  }
}
