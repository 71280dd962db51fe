import type { CallAllowance } from '../../../src/relay/forward/call-limits.ts'

export interface SimulationOptions {
  readonly seed: number
  readonly durationS: number
  /** Events that come in; requests come as they like (Poisson). 0: none, what waits at the beginning is all. */
  readonly eventsPerS: number
  readonly batchEvents: number
  /** Until when they come. Default: all the time. */
  readonly arrivalsUntilS?: number
  /** Processes, one core each. */
  readonly relays: number
  readonly meters: number
  readonly acceptUsPerRequest: number
  readonly forwardUsPerRow: number
  /** Round trips to the store and the sync of its log: what a request waits though nobody works. */
  readonly storeMs: number
  /** A database of its own, where there is one: its cores, and what they do for a request and for a row that leaves. */
  readonly database?: { readonly cores: number; readonly usPerRequest: number; readonly usPerRow: number }
  readonly rowsPerCall: number
  readonly callMs: number
  readonly calls: readonly CallAllowance[]
  readonly lingerMs?: number
  readonly maxCallsInFlight?: number
  /** While it lasts every call is answered by 503. */
  readonly outage?: { readonly fromS: number; readonly untilS: number }
  /** Events that wait at the beginning. */
  readonly waitingEvents?: number
  readonly sampleS?: number
}

/** What one looks at now and then. */
export interface Sample {
  readonly atS: number
  readonly waitingEvents: number
  /** Of what is in no call under way. */
  readonly oldestS: number
  /** Since the last sample. */
  readonly forwardedPerS: number
  readonly callsPerS: number
  readonly failedCallsPerS: number
}

export interface SimulationResult {
  readonly samples: readonly Sample[]
  readonly received: number
  readonly forwarded: number
  readonly calls: number
  readonly mostWaiting: number
  /** When for the last time everything that had come was forwarded; undefined when that never was. */
  readonly emptyAtS: number | undefined
  /** From a request's arrival to its answer; undefined when requests were too many to be taken one by one. */
  readonly accept: { readonly p50Ms: number; readonly p99Ms: number } | undefined
}
