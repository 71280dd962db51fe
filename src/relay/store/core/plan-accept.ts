import type { Range } from '../../../wire/contract.ts'
import { covers } from '../../../wire/ranges.ts'
import { unpacked } from '../../event-pack.ts'
import type { AcceptableEvent, AcceptRequest, EventPack, Span } from '../contract.ts'
import { mergeReport, receiveRun, refuseNumber, type StreamState } from './stream-state.ts'

/** What a request makes of the streams that it names, before anything is written. */
export interface AcceptPlan {
  readonly changes: readonly { readonly before: StreamState; readonly after: StreamState }[]
  /** Events whose number is new, streams in the order in which they are named. */
  readonly fresh: readonly AcceptableEvent[]
  /** Packs of which every number is new. */
  readonly packs: readonly EventPack[]
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
  return planWhole(request, load, maxRanges) ?? planEvents(unpacked(request), load, maxRanges)
}

/** The usual request: nothing but packs, all of whose numbers are new. Undefined when it is another. */
function planWhole(
  request: AcceptRequest,
  load: (stream: string) => StreamState,
  maxRanges: number,
): AcceptPlan | undefined {
  const { packs = [] } = request
  if (packs.length === 0 || request.events.length > 0) return undefined
  const spans = Map.groupBy(
    packs.flatMap((pack) => pack.spans),
    ([stream]) => stream,
  )
  const plan = planStreams(request, load, maxRanges, (reported) =>
    takeRanges(reported, joined(spans.get(reported.stream) ?? []), maxRanges),
  )
  return plan && { ...plan, packs }
}

function planEvents(request: AcceptRequest, load: (stream: string) => StreamState, maxRanges: number): AcceptPlan {
  request.events.forEach(assertStorable)
  const events = Map.groupBy(request.events, ({ stream }) => stream)
  const plan = planStreams(request, load, maxRanges, (reported) =>
    takeEvents(reported, events.get(reported.stream) ?? [], maxRanges),
  )
  return { ...(plan as NonNullable<typeof plan>), packs: [] }
}

/** Plans stream by stream; undefined as soon as `take` gives up. */
function planStreams(
  request: AcceptRequest,
  load: (stream: string) => StreamState,
  maxRanges: number,
  take: (reported: StreamState) => Taken | undefined,
): Omit<AcceptPlan, 'packs'> | undefined {
  const changes: { before: StreamState; after: StreamState }[] = []
  const fresh: AcceptableEvent[] = []
  const overCap: AcceptableEvent[] = []
  const refused = Map.groupBy(request.refused, ({ stream }) => stream)
  const reports = Map.groupBy(request.streams, ({ id }) => id)
  for (const stream of streamsOf(request)) {
    const before = load(stream)
    const taken = take((reports.get(stream) ?? []).reduce(mergeReport, before))
    if (taken === undefined) return undefined
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
export function streamsOf({ streams, events, packs = [], refused }: AcceptRequest): Set<string> {
  return new Set([
    ...streams.map(({ id }) => id),
    ...events.map(({ stream }) => stream),
    ...packs.flatMap(({ spans }) => spans.map(([stream]) => stream)),
    ...refused.map(({ stream }) => stream),
  ])
}

/** The answer's entries for events over the cap. */
export function rejectOverCap(overCap: readonly AcceptableEvent[], maxRanges: number) {
  const detail = `The stream has ${maxRanges} gaps already: send its missing events first.`
  return overCap.map(({ stream, seq }) => ({ stream, seq, code: 'too_many_gaps', detail }))
}

/** Spans of one stream as ranges in order. Those that overlap stay apart: the second is then not new. */
function joined(spans: readonly Span[]): Range[] {
  const ranges: [number, number][] = []
  for (const [, first, count] of spans.toSorted((a, b) => a[1] - b[1])) {
    const last = ranges.at(-1)
    if (last && last[1] + 1 === first) last[1] += count
    else ranges.push([first, first + count - 1])
  }
  return ranges
}

/** Undefined when not every number is new and may be taken. */
function takeRanges(start: StreamState, ranges: readonly Range[], maxRanges: number): Taken | undefined {
  let state = start
  for (const [from, to] of ranges) {
    const received = receiveRun(state, [from, to], maxRanges)
    const [first] = received?.added ?? []
    if (!received || first?.[0] !== from || first[1] !== to) return undefined
    state = received.state
  }
  return { state, fresh: [], overCap: [] }
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
