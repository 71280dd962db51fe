import type { LaneBacklog, RelayStore } from '../store/contract.ts'

export interface BacklogQuestion {
  readonly store: Pick<RelayStore, 'backlog'>
  readonly lane: string
  /** The lanes whose pause holds for this one. */
  readonly pausedWith: readonly string[]
  /** Rows in this lane's own calls under way. */
  readonly ownRows: number
}

/** What waits in a lane, what is in deliveries beside its own calls, and why the operator has paused it. */
export async function readBacklog({ store, lane, pausedWith, ownRows }: BacklogQuestion): Promise<{
  waiting: number
  others: number
  pause: string | undefined
}> {
  const lanes = await store.backlog()
  const find = (name: string): LaneBacklog | undefined => lanes.find((backlog) => backlog.lane === name)
  const own = find(lane)
  const pause = [lane, ...pausedWith].map((name) => find(name)?.paused?.reason).find((why) => why !== undefined)
  return { waiting: own?.waiting ?? 0, others: (own?.inDelivery ?? 0) - ownRows, pause }
}
