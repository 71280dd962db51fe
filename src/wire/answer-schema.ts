/**
 * The schemas of what the relay says, version 1: for the relay's own description of its interface. The agent reads
 * answers by read-answer.ts, which takes the same ones for a tenth of the code.
 */
import * as z from 'zod/mini'

const count = z.int().check(z.nonnegative())

const range = z.tuple([count, count])

export const rejection = z.object({
  stream: z.string(),
  seq: z.number(),
  code: z.string(),
  detail: z.string(),
})

const deferral = z.object({ stream: z.string(), from: count, to: count, delayMs: count })

const policy = z.object({
  flushIntervalMs: z.optional(count),
  maxBatchBytes: z.optional(count),
  maxBatchEvents: z.optional(count),
  holdMs: z.optional(count),
})

/** @see WireAnswer */
export const wireAnswer = z.object({
  received: z.record(z.string(), z.array(range)),
  rejected: z.array(rejection),
  retry: z.array(deferral),
  serverTime: z.number(),
  policy: z.optional(policy),
})

/** @see Problem */
export const problem = z.object({
  type: z.string(),
  title: z.string(),
  status: z.number(),
  detail: z.string(),
  code: z.string(),
})
