import type { AcceptableEvent, AcceptRequest, AcceptResult } from '../contract.ts'
import { type AcceptPlan, planAccept, rejectOverCap, streamsOf } from '../core/plan-accept.ts'
import { newState } from '../core/stream-row.ts'
import type { StreamState } from '../core/stream-state.ts'
import type { Chunks, NewChunk } from './chunks.ts'
import type { HeldChunks } from './held-chunks.ts'
import type { HourEntry, Hours } from './hours.ts'
import { digestOf, type IdempotencyKeys } from './idempotency-keys.ts'
import { dayOf } from './partitions.ts'
import type { Sql } from './sql.ts'
import type { StreamKey, Streams } from './streams.ts'

export interface AcceptParts {
  readonly streams: Streams
  readonly chunks: Chunks
  readonly heldChunks: HeldChunks
  readonly hours: Hours
  readonly keys: IdempotencyKeys
  readonly maxRanges: number
}

type Outcome = { readonly result: AcceptResult } | { readonly error: unknown }

interface Taken {
  readonly request: AcceptRequest
  readonly plan: AcceptPlan
}

/**
 * Takes many requests in one transaction, as if one after the other: their streams' rows are locked once and written
 * once. A request that no store can hold fails alone. 'not ready': the day of their keys must be prepared first.
 */
export async function acceptGroup(
  sql: Sql,
  requests: readonly AcceptRequest[],
  parts: AcceptParts,
): Promise<Outcome[] | 'not ready'> {
  const states = await lockStates(sql, requests, parts)
  const before = new Map(states)
  const planned = requests.map((request) => plan(request, states, parts.maxRanges))
  const taken = planned.filter((each): each is Taken => 'plan' in each)
  const isNew = await useKeys(sql, taken, parts.keys)
  if (isNew === 'not ready') return isNew
  const stores = new Map(taken.map((each) => [each.request, sortOut(each, isNew)]))
  book([...stores.values()], states)
  const all = [...stores.values()]
  const changes = [...states].map(([key, after]) => ({ before: before.get(key) ?? newOf(after), after }))
  await Promise.all([
    parts.streams.save(
      sql,
      changes.filter(({ before: old, after }) => old !== after),
    ),
    parts.heldChunks.add(
      sql,
      all.flatMap(({ chunks, hold }) => (hold ? chunks : [])),
    ),
    parts.hours.add(
      sql,
      all.flatMap(({ hours }) => hours),
    ),
    parts.chunks.add(
      sql,
      all.flatMap(({ chunks, hold }) => (hold ? [] : chunks)),
    ),
  ])
  return planned.map((each) => {
    if ('error' in each) return each
    const { deduplicated } = stores.get(each.request) as Sorted
    return { result: answer(each, deduplicated, parts.maxRanges) }
  })
}

async function lockStates(
  sql: Sql,
  requests: readonly AcceptRequest[],
  { streams }: AcceptParts,
): Promise<Map<string, StreamState>> {
  const keys = new Map<string, StreamKey>()
  for (const request of requests) {
    for (const stream of streamsOf(request)) keys.set(keyOf({ ...request, stream }), { ...request, stream })
  }
  if (keys.size === 0) return new Map()
  const states = await streams.lock(sql, [...keys.values()])
  return new Map(states.map((state) => [keyOf(state), state]))
}

/** Plans on the states as the requests before have left them. */
function plan(
  request: AcceptRequest,
  states: Map<string, StreamState>,
  maxRanges: number,
): Taken | { readonly error: unknown } {
  try {
    const load = (stream: string): StreamState => states.get(keyOf({ ...request, stream })) ?? newState(request, stream)
    const made = planAccept(request, load, maxRanges)
    for (const { after } of made.changes) states.set(keyOf(after), after)
    return { request, plan: made }
  } catch (error) {
    return { error }
  }
}

/** Tells for each digest, once, that it is new: the first event that asks has it. */
async function useKeys(
  sql: Sql,
  taken: readonly Taken[],
  keys: IdempotencyKeys,
): Promise<((digest: string) => boolean) | 'not ready'> {
  const digests = new Set<string>()
  for (const { request, plan: made } of taken) {
    for (const { idempotencyKey: key } of made.fresh) if (key !== undefined) digests.add(digestOf(request, key))
  }
  if (digests.size === 0) return () => false
  const fresh = await keys.use(sql, [...digests], keyDayOf(taken.map(({ request }) => request)))
  if (fresh === 'not ready') return fresh
  const left = new Set(fresh)
  return (digest) => left.delete(digest)
}

/** The day under which a group's keys are entered. */
export function keyDayOf(requests: readonly AcceptRequest[]): number {
  return Math.max(...requests.map(({ receivedAtMs }) => dayOf(receivedAtMs)))
}

interface Sorted {
  readonly hold: boolean
  readonly chunks: readonly NewChunk[]
  readonly hours: readonly HourEntry[]
  /** By stream: what is on hold, and what had a key that was known. */
  readonly counts: ReadonlyMap<string, { held: number; known: number }>
  readonly deduplicated: number
}

/** What of a request goes into which lane, and what is only counted. */
function sortOut({ request, plan: { fresh } }: Taken, isNew: (digest: string) => boolean): Sorted {
  const { receivedAtMs: atMs, hold = false } = request
  const chunks: NewChunk[] = []
  const hours: HourEntry[] = []
  const counts = new Map<string, { held: number; known: number }>()
  let deduplicated = 0
  for (const [meter, list] of Map.groupBy(fresh, (event) => event.meter)) {
    const owner = { ...request, meter }
    const isWanted = ({ idempotencyKey: key }: AcceptableEvent): boolean =>
      key === undefined || isNew(digestOf(request, key))
    const { wanted = [], known = [] } = Object.groupBy(list, (event) => (isWanted(event) ? 'wanted' : 'known'))
    if (wanted.length > 0) chunks.push({ owner, lane: meter, events: wanted })
    hours.push({ ...owner, atMs, change: { received: list.length, deduplicated: known.length } })
    deduplicated += known.length
    for (const [name, some] of [['held', hold ? wanted : []] as const, ['known', known] as const]) {
      for (const { stream } of some) {
        const key = keyOf({ ...request, stream })
        const count = counts.get(key) ?? { held: 0, known: 0 }
        count[name]++
        counts.set(key, count)
      }
    }
  }
  return { hold, chunks, hours, counts, deduplicated }
}

/** Counts on the streams' rows, which are locked. */
function book(stores: readonly Sorted[], states: Map<string, StreamState>): void {
  for (const { counts } of stores) {
    for (const [key, { held, known }] of counts) {
      const state = states.get(key) as StreamState
      states.set(key, { ...state, onHold: state.onHold + held, deduplicated: state.deduplicated + known })
    }
  }
}

function answer({ request, plan: { changes, fresh, overCap } }: Taken, deduplicated: number, maxRanges: number) {
  return {
    received: Object.fromEntries(changes.map(({ after }) => [after.stream, after.held])),
    stored: fresh.length - deduplicated,
    duplicates: request.events.length - fresh.length - overCap.length,
    deduplicated,
    rejected: rejectOverCap(overCap, maxRanges),
  }
}

function newOf({ tenant, account, device, stream, firstSeenMs }: StreamState): StreamState {
  return newState({ tenant, account, device, receivedAtMs: firstSeenMs }, stream)
}

function keyOf({ account, stream, tenant }: StreamKey): string {
  return `${account}\n${stream}\n${tenant}`
}
