/** What the relay says, version 1. Its schemas are in answer-schema.ts; the agent reads it by read-answer.ts. */

/** An inclusive run of sequence numbers, `[from, to]`, from ≤ to. */
export type Range = [from: number, to: number]

/** One event that the relay will not take as it is. `seq` echoes what was sent, even when it is no valid number. */
export interface Rejection {
  stream: string
  seq: number
  code: string
  detail: string
}

/** Events that the relay wants later: numbers from … to of a stream, not before delayMs from now. */
export interface Deferral {
  stream: string
  from: number
  to: number
  delayMs: number
}

/** Wishes of the relay; the agent follows them within its own limits. */
export interface Policy {
  flushIntervalMs?: number | undefined
  maxBatchBytes?: number | undefined
  maxBatchEvents?: number | undefined
  holdMs?: number | undefined
}

/** The 200 answer to a batch: what the relay now durably holds of each stream named in it, and the exceptions. */
export interface WireAnswer {
  received: Record<string, Range[]>
  rejected: Rejection[]
  retry: Deferral[]
  /** The relay's wall clock, ms. */
  serverTime: number
  policy?: Policy | undefined
}

/** Whole-request refusal, RFC 9457. `type` is `urn:metertap:problem:<code>`. */
export interface Problem {
  type: string
  title: string
  status: number
  detail: string
  code: string
}
