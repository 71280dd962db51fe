import type { MeterRoute, ZuoraOptions } from '../contract.ts'
import type { Log } from '../log.ts'
import type { RelayStore } from '../store/contract.ts'

/** Runs the callback once after delayMs; the returned function cancels. */
export type Timer = (callback: () => void, delayMs: number) => () => void

/**
 * One question to an endpoint of the upstream other than that for usage. After a 401 once more with a new token.
 * `failure` says why there is no answer; it is safe to log.
 */
export type AskUpstream = (
  path: string,
  init: { readonly method: 'GET' | 'POST'; readonly body?: string },
) => Promise<{ readonly status: number; readonly body: string } | { readonly failure: string }>

export interface ForwarderOptions {
  readonly store: RelayStore
  /** Two lanes per meter: one of its name, and `<meter>:late` for events that are old. */
  readonly routes: readonly MeterRoute[]
  readonly upstream: ZuoraOptions
  /** Marks this process's claims. It must be new for every start: a claim of an earlier start then ends by its lease. */
  readonly owner: string
  /** Wall clock, ms. */
  readonly clock: () => number
  /** Uniform in [0, 1). */
  readonly random: () => number
  readonly fetch: typeof globalThis.fetch
  readonly log: Log
  /** Default: setTimeout. */
  readonly timer?: Timer
  /** Default: zlib's gzipSync. */
  readonly gzip?: (bytes: Uint8Array) => Uint8Array
  /** How long a small backlog waits for more before it is sent, ms. Default 200. */
  readonly lingerMs?: number
  /** How long stop() waits for calls that are under way before it cuts them off, ms. Default 10,000. */
  readonly stopGraceMs?: number
}

export type LaneState = 'stopped' | 'idle' | 'sending' | 'backing_off' | 'paused'

/**
 * Why a lane holds its whole queue by itself. `everything_refused`: the upstream takes no event of it.
 * `everything_unmappable`: the meter's `fields` fit no event.
 */
export type LaneHold = 'everything_refused' | 'everything_unmappable'

/** One lane since start(). */
export interface LaneStats {
  readonly lane: string
  /** It carries events so old that the upstream may not notice a second copy. */
  readonly late?: true
  readonly state: LaneState
  /** Present while it holds its queue until what is wrong with all of it is mended. */
  readonly code?: LaneHold
  /** Why it backs off or is paused: a status, a code, names of fields; never event data. */
  readonly reason?: string
  /** When it goes on by itself, ms since 1970: present while it backs off or is paused. */
  readonly resumesAtMs?: number
  /** Upstream calls made. */
  readonly calls: number
  /** Events accepted by the upstream. */
  readonly accepted: number
  /** Events buried after the upstream refused them. */
  readonly buried: number
  /** Deliveries parked for the operator. */
  readonly parked: number
  /** Calls in a row that got no verdict: overload, errors, no answer. Those under way together count as one. */
  readonly failuresInARow: number
  /** Calls under way, and how many may be at the moment. */
  readonly inFlight: number
  readonly maxInFlight: number
}

/** A forwarder as an operator's API needs it; it may run elsewhere. */
export interface ForwarderDesk {
  wake(lane?: string): unknown
  stats(): LaneStats[] | Promise<LaneStats[]>
}

export interface Forwarder {
  /** Starts all lanes; what an earlier process left behind comes first, once its claims have ended. */
  start(): void
  /** Tells a lane, or all, that events were stored or that it was resumed. A lane that backs off stays so. */
  wake(lane?: string): void
  /** Cuts no new delivery, waits for calls under way (see stopGraceMs) and gives their deliveries back. */
  stop(): Promise<void>
  stats(): LaneStats[]
}
