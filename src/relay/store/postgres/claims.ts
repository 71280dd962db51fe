import type { Delivery, OpenDeliveryOptions } from '../contract.ts'
import { quoted, type Sql } from './sql.ts'

/** Who sends which delivery until when. */
export interface Claims {
  /**
   * Claims the lane's oldest delivery that may be sent now. 'busy': nothing may be sent, and nothing new be cut. In strict
   * order the lane is locked for the rest of the transaction.
   */
  take(sql: Sql, options: OpenDeliveryOptions): Promise<Delivery | 'busy' | undefined>
  /** Claims one that was cut in this transaction. */
  takeNew(sql: Sql, id: string, options: OpenDeliveryOptions): Promise<Delivery | undefined>
}

interface ClaimedRow extends Omit<Delivery, 'doubtSinceMs'> {
  doubt: number | null
}

/** A claim that nobody settled or gave back may have reached the upstream. */
export const DOUBT = 'CASE WHEN owner IS NULL THEN doubt_since_ms ELSE coalesce(doubt_since_ms, claimed_at_ms) END'
const IS_DUE = 'not_before_ms <= $1 AND (owner IS NULL OR lease_until_ms <= $1)'

/**
 * A lease that has ended may be claimed by another process while the first one's call is still under way: the upstream
 * de-duplicates, and the new claim notes the doubt. Settling goes by what the upstream said, whoever heard it first:
 * a later verdict finds the delivery gone and does nothing.
 */
export function createClaims(schema: string): Claims {
  const table = `${quoted(schema)}.deliveries`
  const claim = (condition: string): string => `
    UPDATE ${table} d SET doubt_since_ms = ${DOUBT}, owner = $2, lease_until_ms = $3, claimed_at_ms = $1,
      attempts = attempts + 1
    WHERE ${condition}
    RETURNING id, lane, rows, bytes, attempts - 1 AS attempts, oldest_at_ms AS "oldestAtMs", body, doubt_since_ms AS doubt`
  const due = (lock: string): string =>
    claim(`id = (
      SELECT id FROM ${table} WHERE lane = $4 AND parked_at_ms IS NULL AND ${IS_DUE}
        AND NOT EXISTS (SELECT 1 FROM ${table} WHERE lane = $4 AND owner = $2 AND lease_until_ms > $1)
      ORDER BY first_chunk, first_position LIMIT 1 FOR UPDATE ${lock}
    )`)
  const isClaimed = `SELECT 1 FROM ${table} WHERE lane = $1 AND owner = $2 AND lease_until_ms > $3 LIMIT 1`
  const oldest = `
    SELECT ${IS_DUE} AS "isDue" FROM ${table} WHERE lane = $2 AND parked_at_ms IS NULL
    ORDER BY first_chunk, first_position LIMIT 1`

  return {
    async take(sql, { lane, owner, leaseMs, nowMs, ordered }) {
      if (ordered) {
        await sql('SELECT pg_advisory_xact_lock(hashtextextended($1, 0))', [`metertap lane ${schema} ${lane}`])
        const [row] = await sql<{ isDue: boolean }>(oldest, [nowMs, lane])
        if (row && !row.isDue) return 'busy'
      }
      const statement = due(ordered ? '' : 'SKIP LOCKED')
      const [claimed, [mine]] = await Promise.all([
        sql(isClaimed, [lane, owner, nowMs]),
        sql<ClaimedRow>(statement, [nowMs, owner, nowMs + leaseMs, lane]),
      ])
      if (claimed.length > 0) return 'busy'
      return mine && toDelivery(mine)
    },
    async takeNew(sql, id, { owner, leaseMs, nowMs }) {
      const [mine] = await sql<ClaimedRow>(claim('id = $4'), [nowMs, owner, nowMs + leaseMs, id])
      return mine && toDelivery(mine)
    },
  }
}

function toDelivery({ doubt, ...row }: ClaimedRow): Delivery {
  return { ...row, ...(doubt === null ? {} : { doubtSinceMs: doubt }) }
}
