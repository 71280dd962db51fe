import type { WireClock } from '../wire/contract.ts'

export interface ClockSources {
  /** Wall clock, ms since 1970. */
  readonly now: () => number
  /** Never set back, ms since an arbitrary moment. */
  readonly monotonic: () => number
}

export interface ClockEvidence {
  /** A request begins; call the result with the answer's serverTime (ms since 1970) when it is there. */
  begin(): (serverTimeMs: number) => void
  /** What is known of this clock, for the next batch; undefined before the first answer. */
  readonly current: WireClock | undefined
}

/**
 * Measures how far this device's wall clock is from the relay's: evidence for whoever doubts an event's time, never
 * used to change one. The error is at most half the request's round trip.
 */
export function createClockEvidence({ now, monotonic }: ClockSources): ClockEvidence {
  let known: { offsetMs: number; uncertaintyMs: number } | undefined
  return {
    begin() {
      const startedMs = monotonic()
      return (serverTimeMs) => {
        const halfTripMs = (monotonic() - startedMs) / 2
        known = { offsetMs: Math.round(serverTimeMs + halfTripMs - now()), uncertaintyMs: Math.ceil(halfTripMs) }
      }
    },
    get current() {
      return known && { ...known, monotonicMs: Math.round(monotonic()) }
    },
  }
}
