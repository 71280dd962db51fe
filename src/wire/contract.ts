/**
 * The wire, version 1: what agent and relay say to each other. Both validate with these schemas.
 * Field order and names are part of the protocol; changing them means a new version.
 */
import * as z from 'zod/mini'

/** The only version this code speaks. */
export const WIRE_VERSION = 1

/** An inclusive run of sequence numbers, `[from, to]`, from ≤ to. */
export type Range = [from: number, to: number]

/** One usage event as it travels: meter name, wall-clock milliseconds since 1970 (UTC), its data, an idempotency key. */
export type WireEvent = [meter: string, at: number, data: unknown, key?: string]

const count = z.int().check(z.nonnegative())
const text = z.string().check(z.minLength(1), z.maxLength(200))
const tally = z.record(z.string().check(z.maxLength(64)), count)

/** What a stream's owner says of it. `recorded` numbers were given out: 0 … recorded − 1. */
export const streamReport = z.object({
  id: text,
  recorded: count,
  /** Numbered events knowingly given up before any relay held them, by drop reason. */
  dropped: tally,
  /** record() calls refused before they got a number, by error code: they are not in `recorded`. */
  refused: z.optional(tally),
})
export type StreamReport = z.infer<typeof streamReport>

/**
 * A run of events of one stream: event i has the number first + i.
 * Deliberately loose inside: a bad event gets its own verdict, it never costs its batch.
 */
export const wireSegment = z.object({
  stream: z.unknown(),
  first: z.unknown(),
  events: z.array(z.unknown()),
})

/**
 * What the sender knows of its own clock: relay's time − its own ± uncertainty, from the last answer's round trip, and
 * its monotonic clock at sending. Evidence only: no event's time is ever changed by it. All ms.
 */
export const wireClock = z.object({ offsetMs: z.number(), uncertaintyMs: z.number(), monotonicMs: z.number() })
export type WireClock = z.infer<typeof wireClock>

/** The body of `POST /v1/events`. Account, tenant and device come from the token, never from here. */
export const wireBatch = z.object({
  v: z.literal(WIRE_VERSION),
  /** Sender's wall clock when the batch was built, ms. Evidence of clock skew, never a correction. */
  sentAt: z.number(),
  /** The installation's own id, for diagnostics only. */
  device: z.string().check(z.maxLength(200)),
  streams: z.array(streamReport),
  segments: z.array(wireSegment),
  clock: z.optional(wireClock),
})
export type WireBatch = z.infer<typeof wireBatch>

/** The body of `POST /v1/exit` (text/plain, so that no CORS preflight is needed): a batch and its token. */
export const exitBatch = z.extend(wireBatch, { token: z.string() })
export type ExitBatch = z.infer<typeof exitBatch>

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
  status: z.int(),
  detail: z.string(),
  code: z.string(),
})
export type Problem = z.infer<typeof problem>
