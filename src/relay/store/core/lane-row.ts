import type { LaneBacklog } from '../contract.ts'

/** A lane as it is read. */
export interface LaneRow {
  lane: string
  waiting: number
  in_delivery: number
  parked: number
  oldest: number | null
  paused_reason: string | null
  paused_at_ms: number | null
}

export function toBacklog({
  lane,
  waiting,
  in_delivery,
  parked,
  oldest,
  paused_reason,
  paused_at_ms,
}: LaneRow): LaneBacklog {
  return {
    ...{ lane, waiting, inDelivery: in_delivery, parked },
    ...(oldest === null ? {} : { oldestReceivedAtMs: oldest }),
    ...(paused_at_ms === null ? {} : { paused: { reason: paused_reason ?? '', sinceMs: paused_at_ms } }),
  }
}
