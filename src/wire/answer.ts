/**
 * What the relay says, version 1: apart from what the agent says (contract.ts), since an agent has no use for the
 * schemas of its own words.
 */
import * as z from 'zod/mini'

/** An inclusive run of sequence numbers, `[from, to]`, from ≤ to. */
export type Range = [from: number, to: number]

/** Not by z.int(): in a page every kilobyte counts. */
const count = z.number().check(({ value, issues }) => {
  if (Number.isSafeInteger(value) && value >= 0) return
  issues.push({ code: 'custom', message: 'Invalid input: expected a whole number', input: value, path: [] })
})

const range = z.tuple([count, count])

/** One event that the relay will not take as it is. `seq` echoes what was sent, even when it is no valid number. */
export const rejection = z.object({
  stream: z.string(),
  seq: z.number(),
  code: z.string(),
  detail: z.string(),
})
export type Rejection = z.infer<typeof rejection>

/** Events that the relay wants later: numbers from … to of a stream, not before delayMs from now. */
export const deferral = z.object({ stream: z.string(), from: count, to: count, delayMs: count })
export type Deferral = z.infer<typeof deferral>

/** Wishes of the relay; the agent follows them within its own limits. */
export const policy = z.object({
  flushIntervalMs: z.optional(count),
  maxBatchBytes: z.optional(count),
  maxBatchEvents: z.optional(count),
  holdMs: z.optional(count),
})
export type Policy = z.infer<typeof policy>

/** The 200 answer to a batch: what the relay now durably holds of each stream named in it, and the exceptions. */
export const wireAnswer = z.object({
  received: z.record(z.string(), z.array(range)),
  rejected: z.array(rejection),
  retry: z.array(deferral),
  /** The relay's wall clock, ms. */
  serverTime: z.number(),
  policy: z.optional(policy),
})
export type WireAnswer = z.infer<typeof wireAnswer>

/** Whole-request refusal, RFC 9457. `type` is `urn:metertap:problem:<code>`. */
export const problem = z.object({
  type: z.string(),
  title: z.string(),
  status: z.number(),
  detail: z.string(),
  code: z.string(),
})
export type Problem = z.infer<typeof problem>
