import type { StoredEvent } from './accept.ts'

/** What the builder makes of a prefix of the offered events: one upstream call's body. */
export interface DeliveryDraft {
  /** How many of the offered events this draft uses up, bodies and buried ones together (≥ 1). */
  readonly taken: number
  /** gzip of the JSON array; kept until the call is settled, so that a retry is byte-identical. Empty when rows is 0. */
  readonly body: Uint8Array
  readonly rows: number
  /** Uncompressed bytes. */
  readonly bytes: number
  /** Offered events (by index) that cannot be mapped: they become dead letters at once. */
  readonly unmappable: readonly { index: number; code: string; detail: string }[]
}

export type BuildDelivery = (events: readonly StoredEvent[]) => DeliveryDraft

/** One upstream call, written before it is made. */
export interface Delivery {
  /** UUID; travels as Zuora-Track-Id. */
  readonly id: string
  readonly lane: string
  readonly body: Uint8Array
  readonly rows: number
  readonly bytes: number
  /** How often it was claimed before. */
  readonly attempts: number
  /** Time of its oldest event, ms since 1970. */
  readonly oldestAtMs: number
  /**
   * When the first call was made that the upstream may have taken without our knowing, ms. Absent: if it was ever sent,
   * it was refused for certain.
   */
  readonly doubtSinceMs?: number
}

export interface OpenDeliveryOptions {
  readonly lane: string
  /** Who claims it; a claim ends by itself at nowMs + leaseMs. */
  readonly owner: string
  readonly leaseMs: number
  readonly nowMs: number
  /** At most this many stored events are offered to the builder; fewer when they are large (8 Mi characters of data). */
  readonly maxEvents: number
  /** False: only what was cut before, nothing new. Default true. */
  readonly mayCut?: boolean
  /** Strict order: nothing but the lane's oldest delivery that is neither settled nor parked, due or not. Default false. */
  readonly ordered?: boolean
  /** Events with a time before `beforeMs` are moved to another lane instead of being offered. */
  readonly late?: { readonly lane: string; readonly beforeMs: number }
}

/** A delivery that is no longer sent by itself: the upstream may have taken it, and might not notice a second copy. */
export interface ParkedDelivery {
  readonly id: string
  readonly lane: string
  readonly rows: number
  readonly attempts: number
  /** Event ids, the first 100. */
  readonly events: readonly string[]
  readonly oldestAtMs: number
  readonly doubtSinceMs?: number
  readonly reason: string
  readonly parkedAtMs: number
}

/** What the operator found out about a parked delivery: the upstream has it, has not, or must not get it. */
export type ParkedVerdict = 'accepted' | 'resend' | 'bury'

export interface LaneBacklog {
  readonly lane: string
  /** Events stored and not yet put into a delivery. */
  readonly waiting: number
  /** Events in deliveries that are neither settled nor parked. */
  readonly inDelivery: number
  /** Events in parked deliveries: they wait for the operator. */
  readonly parked: number
  /** When the oldest event on its way was received, ms; absent when there is none. */
  readonly oldestReceivedAtMs?: number
  /** The operator paused the lane. */
  readonly paused?: { readonly reason: string; readonly sinceMs: number }
}
