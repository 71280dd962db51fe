import { eventCount, eventsOf } from '../../event-pack.ts'
import type { AcceptableEvent, AcceptRequest, AcceptResult, EventPack } from '../contract.ts'
import { planAccept, rejectOverCap } from '../core/plan-accept.ts'
import type { Bookkeeping } from './bookkeeping.ts'
import type { Chunks } from './chunks.ts'
import type { HeldChunks } from './held-chunks.ts'
import type { Hours } from './hours.ts'
import type { IdempotencyKeys } from './idempotency-keys.ts'
import type { Streams } from './streams.ts'

export interface AcceptParts {
  readonly streams: Streams
  readonly chunks: Chunks
  readonly heldChunks: HeldChunks
  readonly hours: Hours
  readonly keys: IdempotencyKeys
  readonly books: Bookkeeping
  readonly maxRanges: number
}

/** Takes one request into the open transaction. Throws TypeError for an event that no store can hold. */
export function acceptRequest(request: AcceptRequest, parts: AcceptParts): AcceptResult {
  const { streams, maxRanges } = parts
  const { changes, fresh, packs, overCap } = planAccept(request, (stream) => streams.load(request, stream), maxRanges)
  // The streams first: what is booked next is booked on their rows.
  streams.save(changes)
  const deduplicated = store(request, fresh, parts)
  const packed = storePacks(request, packs, parts)
  return {
    received: Object.fromEntries(changes.map(({ after }) => [after.stream, after.held])),
    stored: packed + fresh.length - deduplicated,
    duplicates: eventCount(request) - packed - fresh.length - overCap.length,
    deduplicated,
    rejected: rejectOverCap(overCap, maxRanges),
  }
}

/** Stores packs of new events; how many events those are. */
function storePacks(request: AcceptRequest, packs: readonly EventPack[], parts: AcceptParts): number {
  const { chunks, heldChunks, hours } = parts
  let stored = 0
  for (const pack of packs) {
    const { meter, count } = pack
    const owner = { ...request, meter }
    hours.add(owner, request.receivedAtMs, { received: count })
    if (request.hold) heldChunks.add(owner, eventsOf(pack))
    else chunks.addPack(owner, meter, pack)
    stored += count
  }
  return stored
}

/** Stores new events, but those whose idempotency key is known; how many those are. */
function store(request: AcceptRequest, fresh: readonly AcceptableEvent[], parts: AcceptParts): number {
  const { chunks, heldChunks, hours, keys, books } = parts
  const { tenant, account, receivedAtMs } = request
  let deduplicated = 0
  for (const [meter, list] of Map.groupBy(fresh, (event) => event.meter)) {
    const owner = { ...request, meter }
    const isNew = ({ idempotencyKey: key }: AcceptableEvent): boolean =>
      key === undefined || keys.use(request, key, receivedAtMs)
    const { wanted = [], known = [] } = Object.groupBy(list, (event) => (isNew(event) ? 'wanted' : 'known'))
    hours.add(owner, receivedAtMs, { received: list.length })
    if (wanted.length > 0 && request.hold) heldChunks.add(owner, wanted)
    else if (wanted.length > 0) chunks.add(owner, meter, wanted)
    for (const [stream, { length: count }] of Map.groupBy(known, (event) => event.stream)) {
      books.book('deduplicated', [{ tenant, account, stream, meter, count }], receivedAtMs)
    }
    deduplicated += known.length
  }
  return deduplicated
}
