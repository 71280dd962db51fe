import type { Range, WireClock } from '../../../wire/contract.ts'

/** A stream whose numbers are not all accounted for. */
export interface StreamGaps {
  readonly tenant: string
  readonly account: string
  readonly device: string
  readonly stream: string
  readonly missing: number
  /** Declared dropped: their numbers are not known, so they are among `open`. */
  readonly declared: number
  /** Numbers neither received nor refused; the first 100 ranges. */
  readonly open: readonly Range[]
  readonly lastSeenMs: number
}

/**
 * One stream in the ledger. recorded = received + declared + rejected + missing (what is still on the device counts as
 * missing until it arrives); received = forwarded + dead + discarded + deduplicated + held + what is on its way.
 */
export interface LedgerRow {
  readonly tenant: string
  readonly account: string
  readonly device: string
  readonly stream: string
  readonly recorded: number
  readonly received: number
  /** Declared dropped by the agent, by reason; what was declared and arrived after all is received, not declared. */
  readonly declared: Readonly<Record<string, number>>
  /** record() calls the agent refused before numbering, by code; outside `recorded`. */
  readonly refused: Readonly<Record<string, number>>
  /** Numbers this relay refused (distinct, and not received later), `too_many_gaps` included. */
  readonly rejected: number
  readonly forwarded: number
  /** Received, then refused upstream: in the relay's dead letters. */
  readonly dead: number
  /** Dead letters that the operator deleted. */
  readonly discarded: number
  /** Received under an idempotency key that was known: not forwarded. */
  readonly deduplicated: number
  /** Received and on hold. */
  readonly held: number
  readonly missing: number
  /** What the sender last said of its clock. */
  readonly clock?: WireClock
  readonly firstSeenMs: number
  readonly lastSeenMs: number
}

export interface LedgerTotals {
  readonly streams: number
  readonly recorded: number
  readonly received: number
  readonly declared: number
  readonly rejected: number
  readonly forwarded: number
  readonly dead: number
  readonly discarded: number
  readonly deduplicated: number
  readonly held: number
  readonly missing: number
}

/**
 * What happened to an account's events of one meter within one hour: changes, not levels. Over all hours `received` and
 * `deduplicated` add up to the ledger's figures, `forwarded − importFailed` and `dead` too; a dead letter that is
 * replayed or deleted takes its count back in the hour in which that happens, so `dead` may be negative.
 */
export interface HourRow {
  readonly tenant: string
  readonly account: string
  readonly meter: string
  /** Start of the hour, ms since 1970. */
  readonly hourMs: number
  readonly received: number
  readonly forwarded: number
  /** Forwarded in this hour or before, and reported by the upstream as failed in this hour. */
  readonly importFailed: number
  readonly dead: number
  readonly deduplicated: number
}

/** Oldest hours first; limit default 1,000. Hours from fromMs (inclusive) until untilMs (exclusive). */
export interface HourFilter {
  readonly account?: string
  readonly meter?: string
  readonly fromMs?: number
  readonly untilMs?: number
  readonly limit?: number
}
