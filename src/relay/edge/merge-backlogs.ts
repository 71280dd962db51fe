import type { LaneBacklog } from '../store/contract.ts'

/** One backlog of each lane, from all shards. A lane is paused when it is paused anywhere. Pure. */
export function mergeBacklogs(backlogs: readonly (readonly LaneBacklog[])[]): LaneBacklog[] {
  const lanes = Map.groupBy(backlogs.flat(), ({ lane }) => lane)
  return [...lanes.values()].map((parts) => parts.reduce(merge)).toSorted((a, b) => (a.lane < b.lane ? -1 : 1))
}

function merge(a: LaneBacklog, b: LaneBacklog): LaneBacklog {
  const oldest = [a.oldestReceivedAtMs, b.oldestReceivedAtMs].filter((ms) => ms !== undefined)
  const paused = a.paused ?? b.paused
  return {
    lane: a.lane,
    waiting: a.waiting + b.waiting,
    inDelivery: a.inDelivery + b.inDelivery,
    parked: a.parked + b.parked,
    ...(oldest.length === 0 ? {} : { oldestReceivedAtMs: Math.min(...oldest) }),
    ...(paused === undefined ? {} : { paused }),
  }
}
