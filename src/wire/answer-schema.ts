/**
 * The schemas of what the relay says, version 1: for the relay's own description of its interface, and to say what is
 * wrong with an answer. The agent reads answers by read-answer.ts, which takes the same ones for a tenth of the code.
 */
import * as z from 'zod/mini'

/** More would only fill the log. */
const MAX_FAULTS = 3

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

/** What is wrong with a body that should be an answer, such as `received.s.0: …`; undefined when it is one. */
export function answerFaults(body: string): string | undefined {
  let value: unknown
  try {
    value = JSON.parse(body)
  } catch {
    return 'It is no JSON.'
  }
  const faults = wireAnswer.safeParse(value).error?.issues.slice(0, MAX_FAULTS)
  return (
    faults &&
    `It does not fit: ${faults.map(({ path, message }) => `${path.join('.') || 'all of it'}: ${message}`).join('; ')}.`
  )
}
