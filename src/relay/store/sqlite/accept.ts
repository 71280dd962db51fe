import { covers } from '../../../wire/ranges.ts'
import type { AcceptableEvent, AcceptRequest, AcceptResult } from '../contract.ts'
import type { Bookkeeping } from './bookkeeping.ts'
import type { Chunks } from './chunks.ts'
import type { HeldChunks } from './held-chunks.ts'
import type { Hours } from './hours.ts'
import type { IdempotencyKeys } from './idempotency-keys.ts'
import { mergeReport, receiveRun, refuseNumber, type StreamState } from './stream-state.ts'
import type { Streams } from './streams.ts'

interface Taken {
  readonly state: StreamState
  readonly fresh: readonly AcceptableEvent[]
  readonly overCap: readonly AcceptableEvent[]
}

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
  request.events.forEach(assertStorable)
  const changes: { before: StreamState; after: StreamState }[] = []
  const fresh: AcceptableEvent[] = []
  const overCap: AcceptableEvent[] = []
  const events = Map.groupBy(request.events, ({ stream }) => stream)
  const refused = Map.groupBy(request.refused, ({ stream }) => stream)
  const reports = Map.groupBy(request.streams, ({ id }) => id)
  for (const stream of new Set([...reports.keys(), ...events.keys(), ...refused.keys()])) {
    const before = streams.load(request, stream)
    const reported = (reports.get(stream) ?? []).reduce(mergeReport, before)
    const taken = takeEvents(reported, events.get(stream) ?? [], maxRanges)
    for (const event of taken.fresh) fresh.push(event)
    for (const event of taken.overCap) overCap.push(event)
    const numbers = [...(refused.get(stream) ?? []), ...taken.overCap]
    const after = numbers.reduce((state, { seq }) => refuseNumber(state, seq, maxRanges), taken.state)
    const clock = request.clock === undefined ? {} : { clock: request.clock }
    changes.push({ before, after: { ...after, ...clock, lastSeenMs: request.receivedAtMs } })
  }
  // The streams first: what is booked next is booked on their rows.
  streams.save(changes)
  const deduplicated = store(request, fresh, parts)
  return {
    received: Object.fromEntries(changes.map(({ after }) => [after.stream, after.held])),
    stored: fresh.length - deduplicated,
    duplicates: request.events.length - fresh.length - overCap.length,
    deduplicated,
    rejected: overCap.map(({ stream, seq }) => ({
      stream,
      seq,
      code: 'too_many_gaps',
      detail: tooManyGaps(maxRanges),
    })),
  }
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

function tooManyGaps(maxRanges: number): string {
  return `The stream has ${maxRanges} gaps already: send its missing events first.`
}

/** In order of their numbers, so that an event is judged after those it may be next to. */
function takeEvents(start: StreamState, events: readonly AcceptableEvent[], maxRanges: number): Taken {
  let state = start
  const fresh: AcceptableEvent[] = []
  const overCap: AcceptableEvent[] = []
  for (const run of runsOf(events)) {
    const bounds: [number, number] = [(run[0] as AcceptableEvent).seq, (run.at(-1) as AcceptableEvent).seq]
    const received = receiveRun(state, bounds, maxRanges)
    if (!received) {
      for (const event of run) overCap.push(event)
      continue
    }
    state = received.state
    let last = -1
    for (const event of run) {
      if (event.seq !== last && covers(received.added, event.seq)) fresh.push(event)
      last = event.seq
    }
  }
  return { state, fresh, overCap }
}

/** Sorted events as runs without a gap; a number may stand in its run more than once. */
function runsOf(events: readonly AcceptableEvent[]): AcceptableEvent[][] {
  const runs: AcceptableEvent[][] = []
  let highest = Number.NEGATIVE_INFINITY
  for (const event of events.toSorted((a, b) => a.seq - b.seq)) {
    if (event.seq > highest + 1) runs.push([])
    runs.at(-1)?.push(event)
    highest = event.seq
  }
  return runs
}

function assertStorable({ seq, atMs, data, stream, meter, idempotencyKey }: AcceptableEvent): void {
  const isText = [data, stream, meter, idempotencyKey ?? ''].every((part) => typeof part === 'string')
  if (isText && Number.isSafeInteger(seq) && seq >= 0 && Number.isFinite(atMs)) return
  throw new TypeError('An event for the store needs a stream, a number, a meter, a time and its data as JSON text.')
}
