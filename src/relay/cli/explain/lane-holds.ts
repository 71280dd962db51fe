import type { LaneHold } from '../../forward/contract.ts'
import type { Explanation } from './contract.ts'

/** Why a lane keeps its whole queue: `code` in `/v1/backlog`, in the log and of `metertap_lane_held`. */
export const LANE_HOLDS: Readonly<Record<LaneHold, Explanation>> = {
  everything_refused: {
    cause: 'Zuora refused twenty events of the meter in a row. The queue is kept, and a few are tried again at times.',
    fix: 'Compare the meter’s event definition with the route (`metertap meters`), mend either; then replay the letters.',
  },
  everything_unmappable: {
    cause:
      'The route’s `fields` fit none of twenty events or more in a row. The queue is kept; the reason names the field.',
    fix: "Correct `fields` in the route and restart the relay. To bury the events instead: `whenUnmappable: 'bury'`.",
  },
}
