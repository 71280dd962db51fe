import * as z from 'zod/mini'
import { STREAM_ID } from '../meter/contract.ts'
import type { AppendGroup } from '../outbox/contract.ts'
import { BRIDGE_VERSION, type BridgeRequest } from './contract.ts'
import { bad } from './plain-data.ts'
import { wrongVersion } from './version.ts'

/** There are fewer error codes. */
const MAX_REASONS = 64

const count = z.int().check(z.nonnegative())
const stream = z.string().check(z.regex(STREAM_ID))
const tally = z
  .record(z.string().check(z.regex(/^[a-z0-9_.-]{1,64}$/i)), count)
  .check(z.refine((counts) => Object.keys(counts).length <= MAX_REASONS))
const reason = z.string().check(z.minLength(1), z.maxLength(100))
const time = z.number().check(z.gte(-8.64e15), z.lte(8.64e15))

/** What the page says of accounts is read over: the main process knows. */
const accountTag = z.string()

const head = z.strictObject({
  stream,
  accountTag,
  openedAtMs: time,
  recorded: count,
  bytes: z.number(),
  dropped: z.optional(tally),
  refused: tally,
})
const segment = z.strictObject({
  stream,
  first: count,
  count: count.check(z.gte(1)),
  bytes: z.number(),
  body: z.string(),
  /** The page's own: read over. */
  seal: z.optional(z.number()),
})
const rollup = z.strictObject({ stream, seq: count, accountTag, event: z.string(), closesAtMs: time })
const group = z.strictObject({
  head,
  segments: z.array(segment),
  strict: z.boolean(),
  rollups: z.optional(z.array(rollup)),
  closed: z.optional(z.array(count)),
})

const inSession = { v: z.literal(BRIDGE_VERSION), session: z.string().check(z.regex(STREAM_ID)) }
const letters = z.array(z.strictObject({ stream, seq: count })).check(z.maxLength(10_000))

const request = z.discriminatedUnion('kind', [
  z.strictObject({ ...inSession, kind: z.literal('hello') }),
  z.strictObject({
    ...inSession,
    kind: z.literal('append'),
    serial: count,
    done: count,
    groups: z.array(group).check(z.minLength(1), z.maxLength(1_000)),
  }),
  z.strictObject({
    ...inSession,
    kind: z.literal(['flush', 'totals', 'streams', 'dead-letters', 'purge', 'make-room', 'news', 'close']),
  }),
  z.strictObject({ ...inSession, kind: z.literal(['pause', 'resume']), reason }),
  z.strictObject({ ...inSession, kind: z.literal(['retry-letters', 'delete-letters']), letters }),
])

/**
 * Reads a message that was measured before. What comes back is new: nothing of it is shared with what was given.
 * @throws MetertapError `wrong_version` or `bad_message`.
 */
export function readRequest(message: unknown): BridgeRequest {
  const { v } = (message ?? {}) as { v?: unknown }
  if (typeof v === 'number' && v !== BRIDGE_VERSION) throw wrongVersion(v)
  const read = z.safeParse(request, message)
  if (!read.success) throw bad(`${placeOf(read.error.issues[0])} is not what it should be.`)
  const { data } = read
  return data.kind === 'append' ? { ...data, groups: data.groups.map(tidy) } : data
}

/** Optional fields are there or not, but never undefined. */
function tidy({ head, rollups = [], closed = [], segments, strict }: z.infer<typeof group>): AppendGroup {
  const { dropped = {}, ...rest } = head
  const unsealed = segments.map(({ stream, first, count, bytes, body }) => ({ stream, first, count, bytes, body }))
  return { head: { ...rest, dropped }, segments: unsealed, strict, rollups, closed }
}

function placeOf(issue: { readonly path: readonly PropertyKey[] } | undefined): string {
  // Names of fields that are known, and numbers: the page's own names are not repeated.
  const path = issue?.path.filter((part) => typeof part === 'number' || /^[a-z]{1,12}$/i.test(String(part))) ?? []
  return path.length > 0 ? path.join('.') : 'It'
}
