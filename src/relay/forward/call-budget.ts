import type { CallBucket } from '../store/contract.ts'
import type { CallAllowance } from './call-limits.ts'

/** The calls that all lanes together may make. */
export interface CallBudget {
  /** How long until one more call is within the limits, ms; 0: now. */
  waitMs(): number | Promise<number>
  /** Counts a call that is made. */
  spend(): void
  /** The upstream said that the tenant's limit is used up: no call for so long. */
  hold(ms: number): void
}

/** A budget of this process alone: it knows at once. */
export interface LocalCallBudget extends CallBudget {
  waitMs(): number
}

/** Others use the same tenant, and our clock is not the upstream's: a fifth of every limit stays free. */
const SHARE = 0.8
/** A bucket that refills evenly and holds this part of its limit lets no span of any position see more than SHARE. */
const BURST = 0.05

/** One bucket for each documented span. Pure. */
export function bucketsOf(allowances: readonly CallAllowance[]): CallBucket[] {
  return allowances.map(({ calls, spanMs }) => {
    const capacity = Math.max(1, calls * BURST)
    return { name: `calls in ${spanMs} ms`, capacity, perMs: Math.max(1, calls * SHARE - capacity) / spanMs }
  })
}

/** Token buckets, one for each documented span: a call must find a token in all of them. */
export function createCallBudget(allowances: readonly CallAllowance[], clock: () => number): LocalCallBudget {
  const buckets = bucketsOf(allowances).map((bucket) => ({ ...bucket, level: bucket.capacity }))
  let filledAtMs = clock()
  let holdMs = 0

  function fill(): void {
    const nowMs = clock()
    // A clock that was set back starts anew from there.
    const passedMs = Math.max(0, nowMs - filledAtMs)
    holdMs = Math.max(0, holdMs - passedMs)
    for (const bucket of buckets) bucket.level = Math.min(bucket.capacity, bucket.level + passedMs * bucket.perMs)
    filledAtMs = nowMs
  }

  return {
    waitMs() {
      fill()
      const waits = buckets.map(({ level, perMs }) => Math.ceil(Math.max(0, 1 - level) / perMs))
      return Math.max(holdMs, ...waits)
    },
    spend() {
      fill()
      for (const bucket of buckets) bucket.level--
    },
    hold(ms) {
      fill()
      holdMs = Math.max(holdMs, ms)
    },
  }
}
