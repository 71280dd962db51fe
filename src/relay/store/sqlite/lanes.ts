import type { Sqlite } from '../../../sqlite/contract.ts'
import type { LaneBacklog } from '../contract.ts'
import { type LaneRow, toBacklog } from '../core/lane-row.ts'

export interface Lanes {
  pause(lane: string, reason: string, nowMs: number): void
  /** False when it was not paused. */
  resume(lane: string): boolean
  backlog(): LaneBacklog[]
}

const MAX_REASON_CHARS = 500

/** The lanes as an operator sees them. Pausing and resuming run inside a transaction of the caller. */
export function createLanes(db: Sqlite): Lanes {
  const pause = db.prepare(`
    INSERT INTO lanes (lane, paused_reason, paused_at_ms) VALUES (?, ?, ?)
    ON CONFLICT DO UPDATE SET paused_reason = excluded.paused_reason, paused_at_ms = excluded.paused_at_ms`)
  const resume = db.prepare(
    'UPDATE lanes SET paused_reason = NULL, paused_at_ms = NULL WHERE lane = ? AND paused_at_ms IS NOT NULL',
  )
  // Both sums come from the index deliveries_by_age alone: bodies are never read.
  const backlog = db.prepare(`
    SELECT lane, waiting, paused_reason, paused_at_ms,
      (SELECT coalesce(SUM(rows), 0) FROM deliveries d WHERE d.lane = l.lane AND parked_at_ms IS NULL) AS in_delivery,
      (SELECT coalesce(SUM(rows), 0) FROM deliveries d WHERE d.lane = l.lane AND parked_at_ms IS NOT NULL) AS parked,
      (SELECT received_at_ms FROM chunks c WHERE c.lane = l.lane ORDER BY id LIMIT 1) AS oldest
    FROM lanes l ORDER BY lane`)
  return {
    pause(lane, reason, nowMs) {
      pause.run(lane, reason.slice(0, MAX_REASON_CHARS), nowMs)
    },
    resume: (lane) => resume.run(lane).changes === 1,
    backlog: () => backlog.all().map((row) => toBacklog(row as unknown as LaneRow)),
  }
}
