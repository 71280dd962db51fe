/**
 * The wire, version 1: what agent and relay say to each other. Both validate with these schemas.
 * Field order and names are part of the protocol; changing them means a new version.
 */
import * as z from 'zod/mini'
import { WIRE_VERSION } from './version.ts'

export type * from './answer.ts'
export * from './answer-schema.ts'
export { WIRE_VERSION }

const count = z.int().check(z.nonnegative())
const text = z.string().check(z.minLength(1), z.maxLength(200))
const tally = z.record(z.string().check(z.maxLength(64)), count)

/** What a stream's owner says of it. `recorded` numbers were given out: 0 … recorded − 1. */
export const streamReport = z.object({
  /** The stream's UUID. */
  id: text,
  /** How many numbers were given out. */
  recorded: count,
  /** Numbered events knowingly given up before any relay held them, by drop reason. */
  dropped: tally,
  /** record() calls refused before they got a number, by error code: they are not in `recorded`. */
  refused: z.optional(tally),
})
export type StreamReport = z.infer<typeof streamReport>

/**
 * A run of events of one stream: event i has the number first + i. An event is [meter, at, data] or [meter, at, data,
 * key]: the meter's name, milliseconds since 1970 (UTC), its data, an idempotency key.
 * Deliberately loose inside: a bad event gets its own verdict, it never costs its batch.
 */
const wireSegment = z.object({
  stream: z.unknown(),
  first: z.unknown(),
  events: z.array(z.unknown()),
})

/**
 * What the sender knows of its own clock: relay's time − its own ± uncertainty, from the last answer's round trip, and
 * its monotonic clock at sending. Evidence only: no event's time is ever changed by it. All ms.
 */
export const wireClock = z.object({
  /** The relay's clock minus the sender's. */
  offsetMs: z.number(),
  /** How far off that may be, either way. */
  uncertaintyMs: z.number(),
  /** The sender's monotonic clock at sending. */
  monotonicMs: z.number(),
})
/** What a sender tells of its clock. */
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
