import { covers } from '../../../wire/ranges.ts'
import type { AcceptableEvent, AcceptRequest } from '../contract.ts'
import { mergeReport, receiveRun, refuseNumber, type StreamState } from './stream-state.ts'

/** What a request makes of the streams that it names, before anything is written. */
export interface AcceptPlan {
  readonly changes: readonly { readonly before: StreamState; readonly after: StreamState }[]
  /** Events whose number is new, streams in the order in which they are named. */
  readonly fresh: readonly AcceptableEvent[]
  /** Events that would open one range too many. */
  readonly overCap: readonly AcceptableEvent[]
}

interface Taken {
  readonly state: StreamState
  readonly fresh: readonly AcceptableEvent[]
  readonly overCap: readonly AcceptableEvent[]
}

/**
 * De-duplicates by number. `load` gives a stream's state as it stands, or a new stream's. Pure.
 *
 * Errors: TypeError for an event that no store can hold.
 */
export function planAccept(
  request: AcceptRequest,
  load: (stream: string) => StreamState,
  maxRanges: number,
): AcceptPlan {
  request.events.forEach(assertStorable)
  const changes: { before: StreamState; after: StreamState }[] = []
  const fresh: AcceptableEvent[] = []
  const overCap: AcceptableEvent[] = []
  const events = Map.groupBy(request.events, ({ stream }) => stream)
  const refused = Map.groupBy(request.refused, ({ stream }) => stream)
  const reports = Map.groupBy(request.streams, ({ id }) => id)
  for (const stream of streamsOf(request)) {
    const before = load(stream)
    const reported = (reports.get(stream) ?? []).reduce(mergeReport, before)
    const taken = takeEvents(reported, events.get(stream) ?? [], maxRanges)
    for (const event of taken.fresh) fresh.push(event)
    for (const event of taken.overCap) overCap.push(event)
    const numbers = [...(refused.get(stream) ?? []), ...taken.overCap]
    const after = numbers.reduce((state, { seq }) => refuseNumber(state, seq, maxRanges), taken.state)
    const clock = request.clock === undefined ? {} : { clock: request.clock }
    changes.push({ before, after: { ...after, ...clock, lastSeenMs: request.receivedAtMs } })
  }
  return { changes, fresh, overCap }
}

/** All streams that the request names, each once. */
export function streamsOf({ streams, events, refused }: AcceptRequest): Set<string> {
  return new Set([
    ...streams.map(({ id }) => id),
    ...events.map(({ stream }) => stream),
    ...refused.map(({ stream }) => stream),
  ])
}

/** The answer's entries for events over the cap. */
export function rejectOverCap(overCap: readonly AcceptableEvent[], maxRanges: number) {
  const detail = `The stream has ${maxRanges} gaps already: send its missing events first.`
  return overCap.map(({ stream, seq }) => ({ stream, seq, code: 'too_many_gaps', detail }))
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
  const isText =
    typeof data === 'string' &&
    typeof stream === 'string' &&
    typeof meter === 'string' &&
    (idempotencyKey === undefined || typeof idempotencyKey === 'string')
  if (isText && Number.isSafeInteger(seq) && seq >= 0 && Number.isFinite(atMs)) return
  throw new TypeError('An event for the store needs a stream, a number, a meter, a time and its data as JSON text.')
}
