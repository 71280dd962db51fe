import type { LaneBacklog } from '../contract.ts'
import { type LaneRow, toBacklog } from '../core/lane-row.ts'
import { quoted, type Sql } from './sql.ts'

export interface Lanes {
  pause(sql: Sql, lane: string, reason: string, nowMs: number): Promise<unknown>
  /** False when it was not paused. */
  resume(sql: Sql, lane: string): Promise<boolean>
  backlog(sql: Sql): Promise<LaneBacklog[]>
}

const MAX_REASON_CHARS = 500

/** The lanes as an operator sees them. */
export function createLanes(schema: string): Lanes {
  const s = quoted(schema)
  // What waits is counted in shards, what is in deliveries is little; of the chunks only each lane's first is looked at.
  const backlog = `
    WITH waiting AS (SELECT lane, sum(waiting)::int8 AS n FROM ${s}.lane_counts GROUP BY lane),
    sent AS (
      SELECT lane, min(oldest_received_ms) AS oldest,
        coalesce(sum(rows) FILTER (WHERE parked_at_ms IS NULL), 0)::int8 AS in_delivery,
        coalesce(sum(rows) FILTER (WHERE parked_at_ms IS NOT NULL), 0)::int8 AS parked
      FROM ${s}.deliveries GROUP BY lane
    )
    SELECT lane, coalesce(w.n, 0) AS waiting, coalesce(d.in_delivery, 0) AS in_delivery, coalesce(d.parked, 0) AS parked,
      l.paused_reason, l.paused_at_ms, least(d.oldest, (
        SELECT received_at_ms FROM ${s}.chunks c WHERE c.lane = lane.lane AND c.cut < c.count ORDER BY c.id LIMIT 1
      )) AS oldest
    FROM (SELECT lane FROM waiting UNION SELECT lane FROM ${s}.lanes UNION SELECT lane FROM sent) lane
    LEFT JOIN waiting w USING (lane) LEFT JOIN sent d USING (lane) LEFT JOIN ${s}.lanes l USING (lane)
    ORDER BY lane`
  return {
    pause: (sql, lane, reason, nowMs) =>
      sql(
        `INSERT INTO ${s}.lanes (lane, paused_reason, paused_at_ms) VALUES ($1, $2, $3) ON CONFLICT (lane)
        DO UPDATE SET paused_reason = excluded.paused_reason, paused_at_ms = excluded.paused_at_ms`,
        [lane, reason.slice(0, MAX_REASON_CHARS), nowMs],
      ),
    async resume(sql, lane) {
      const resumed = await sql(
        `UPDATE ${s}.lanes SET paused_reason = NULL, paused_at_ms = NULL WHERE lane = $1 AND paused_at_ms IS NOT NULL
        RETURNING lane`,
        [lane],
      )
      return resumed.length === 1
    },
    backlog: async (sql) => (await sql<LaneRow>(backlog)).map(toBacklog),
  }
}
