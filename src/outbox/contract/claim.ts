import type { Range, StreamReport } from '../../wire/contract.ts'
import type { Segment } from './append.ts'
import type { OutboxTotals } from './overview.ts'

/** Segments to send together, and the report of every stream they (or pending counters) belong to. */
export interface Claim {
  readonly segments: readonly Segment[]
  readonly reports: readonly StreamReport[]
  /** True when more segments wait behind this claim. */
  readonly more: boolean
}

export interface ClaimOptions {
  readonly accountTag: string
  readonly maxBytes: number
  readonly maxEvents: number
  readonly nowMs: number
  /** Hides what is claimed from other claimers until nowMs + leaseMs. 0: no lease is written (a lock guards the outbox). */
  readonly leaseMs: number
  /** True to parse every text, whatever its seal says: after a relay found fault with it. Default false. */
  readonly verify?: boolean
}

/** What came of a claim, by stream. Numbers not named stay in the outbox. */
export interface Settlement {
  readonly claim: Claim
  /** Numbers the relay said it holds. */
  readonly received: Readonly<Record<string, readonly Range[]>>
  readonly rejected: readonly { stream: string; seq: number; code: string; detail: string }[]
  /** Numbers that the relay wants later: hidden until nowMs + delayMs. */
  readonly deferred: readonly { stream: string; from: number; to: number; delayMs: number }[]
  readonly nowMs: number
  /** True to count, in the same transaction, what waits then: see Settled.totals. Default false. */
  readonly counted?: boolean
  /** Claims in the same transaction what is to be sent next, without a lease, for a sender that a lock guards: see Settled.next. */
  readonly next?: Omit<ClaimOptions, 'leaseMs'>
}

/** What a settlement changed. */
export interface Settled {
  readonly received: number
  readonly dead: readonly DeadLetter[]
  /** When asked for: what totals() would say. Undefined where that would have cost more than this transaction. */
  readonly totals?: OutboxTotals
  /** When asked for: what claim() would give. Undefined when nothing waits or it could not be told: claim() says which. */
  readonly next?: Claim
}

/** An event the relay will not take as it is, kept for the operator with its reason. */
export interface DeadLetter {
  /** The event's stream; with `seq` it is the event's id, `<stream>-<seq>`. */
  readonly stream: string
  /** The event's number in its stream. */
  readonly seq: number
  /** Whose event it is. */
  readonly accountTag: string
  /** The event's JSON, `["meter", at, data]`, exactly as it was recorded. */
  readonly event: string
  /** The relay's reason; docs/errors.md lists them. */
  readonly code: string
  /** The reason in words, such as which field does not fit. */
  readonly detail: string
  /** When the relay refused it, ms since 1970. */
  readonly diedAtMs: number
}
