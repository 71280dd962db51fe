/** How far a breaker is. */
export interface BreakerState {
  readonly state: 'closed' | 'clearing' | 'probing'
  readonly buriedInARow: number
  readonly refusals: number
  readonly rests: number
}

/**
 * Tells single bad events from an upstream that refuses everything (a changed event definition, a wrong mapping):
 * the first are buried, the second must not bury the queue.
 *
 * - closed: refused events are buried, up to 20 in a row.
 * - clearing: too many in a row; deliveries at hand are set aside unsent until events are cut that were never tried.
 * - probing: those are sent. Nothing is buried. One acceptance closes the breaker; what was set aside comes back later.
 */
export interface Breaker {
  readonly state: BreakerState['state']
  /** What another breaker can go on from. */
  snapshot(): BreakerState
  /** One event was refused: may it be buried? */
  mayBury(): boolean
  /** Something fresh is there to try, or nothing is left to set aside. */
  probe(): void
  /** Counts a refusal while probing; true when the probe has had enough of them and the lane should rest. */
  spend(): boolean
  /** How long the lane rests before the next probe: 1 min, then twice as long each time, at most 15 min. */
  restMs(): number
  accepted(): void
}

const MAX_BURIED_IN_A_ROW = 20
/** Enough to bisect a probe of PROBE_EVENTS down to one event, and then some. */
const REFUSALS_PER_PROBE = 12
const REST_MS = 60_000
const MAX_REST_MS = 900_000
/** How many events a probe takes at most. */
export const PROBE_EVENTS = 64

const CLOSED: BreakerState = { state: 'closed', buriedInARow: 0, refusals: 0, rests: 0 }

export function createBreaker(from: BreakerState = CLOSED): Breaker {
  let { state, buriedInARow, refusals, rests } = from
  return {
    get state() {
      return state
    },
    snapshot: () => ({ state, buriedInARow, refusals, rests }),
    mayBury() {
      if (state !== 'closed') return false
      if (buriedInARow < MAX_BURIED_IN_A_ROW) {
        buriedInARow++
        return true
      }
      state = 'clearing'
      return false
    },
    probe() {
      state = 'probing'
      refusals = 0
    },
    spend() {
      return state === 'probing' && ++refusals >= REFUSALS_PER_PROBE
    },
    restMs() {
      refusals = 0
      return Math.min(REST_MS * 2 ** Math.min(rests++, 10), MAX_REST_MS)
    },
    accepted() {
      state = 'closed'
      buriedInARow = 0
      rests = 0
    },
  }
}
