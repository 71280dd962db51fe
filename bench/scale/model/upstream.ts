import type { ZuoraEnvironment } from '../../../src/relay/contract.ts'
import { bucketsOf } from '../../../src/relay/forward/call-budget.ts'
import { CALL_LIMITS } from '../../../src/relay/forward/call-limits.ts'
import type { Load } from './contract.ts'

/** One documented limit of calls, and what of it the relay uses, since a tenant's limit is not the relay's alone. */
export interface Allowance {
  readonly span: string
  readonly spanS: number
  readonly calls: number
  readonly callsPerS: number
  /** What the relay's own token bucket gives over a long time. */
  readonly usedCallsPerS: number
}

const SPANS: Readonly<Record<number, string>> = { 60: 'minute', 3600: 'hour', 86400: 'day' }

/** The limits of an environment, by the same code that the relay keeps to them with. */
export function allowancesOf(tier: ZuoraEnvironment): Allowance[] {
  const { calls: allowed } = CALL_LIMITS[tier]
  const buckets = bucketsOf(allowed)
  return allowed.map(({ calls, spanMs }, nth) => {
    const spanS = spanMs / 1_000
    const usedCallsPerS = (buckets[nth]?.perMs ?? 0) * 1_000
    return { span: SPANS[spanS] ?? `${spanS} s`, spanS, calls, callsPerS: calls / spanS, usedCallsPerS }
  })
}

/** The one of them that a load of many days meets first. */
export function tightestOf(tier: ZuoraEnvironment): Allowance {
  const [first, ...others] = allowancesOf(tier)
  if (!first) throw new RangeError(`No limit of calls is documented for ${tier}.`)
  return others.reduce((least, next) => (next.usedCallsPerS < least.usedCallsPerS ? next : least), first)
}

/** Rows that a call can hold: by their number, or by their bytes. */
export function rowsPerCall({ tier, rowBytes }: Pick<Load, 'tier' | 'rowBytes'>): number {
  const { maxRows, maxBytes } = CALL_LIMITS[tier]
  return Math.max(1, Math.min(maxRows, Math.floor((maxBytes - 1) / (rowBytes + 1))))
}

export interface UpstreamNeeds {
  readonly rowsPerFullCall: number
  /** The fewest calls that can carry the load. */
  readonly leastCallsPerS: number
  readonly leastCallsPerDay: number
  /** What the relay allows itself over a day, as rows. */
  readonly usedCeilingRowsPerS: number
  /** What is documented, as rows, if the tenant had nobody else. */
  readonly documentedCeilingRowsPerS: number
  /** Rows that a call must hold at least, on average, for the load to pass. */
  readonly leastRowsPerCall: number
  /** Calls under way at the same time, at the load's time of a call. */
  readonly callsInFlight: number
  /** How long what waited through an outage takes to go; infinite when the load alone is all that passes. */
  readonly drainS: number
}

export function upstreamNeeds(load: Load): UpstreamNeeds {
  const { eventsPerS, tier, callMs, outageS } = load
  const rows = rowsPerCall(load)
  const tightest = tightestOf(tier)
  const documentedCallsPerS = Math.min(...allowancesOf(tier).map(({ callsPerS }) => callsPerS))
  const leastCallsPerS = eventsPerS / rows
  const usedCeilingRowsPerS = tightest.usedCallsPerS * rows
  const surplus = usedCeilingRowsPerS - eventsPerS
  return {
    rowsPerFullCall: rows,
    leastCallsPerS,
    leastCallsPerDay: leastCallsPerS * 86_400,
    usedCeilingRowsPerS,
    documentedCeilingRowsPerS: documentedCallsPerS * rows,
    leastRowsPerCall: eventsPerS / tightest.usedCallsPerS,
    callsInFlight: (leastCallsPerS * callMs) / 1_000,
    drainS: surplus > 0 ? (eventsPerS * outageS) / surplus : Number.POSITIVE_INFINITY,
  }
}
