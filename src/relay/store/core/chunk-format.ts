import { createPacker, readLine } from '../../event-pack.ts'
import type { AcceptableEvent, EventPack, Span, StoredEvent } from '../contract.ts'

/** Events of one chunk by position, `until` exclusive. */
export type Run = [chunk: number, from: number, until: number]

/** A chunk's event without what all events of the chunk share. */
export type ChunkEvent = Pick<AcceptableEvent, 'stream' | 'seq' | 'atMs' | 'data'>

/** A stored event and where it lies. */
export interface PlacedEvent {
  readonly event: StoredEvent
  readonly chunk: number
  readonly position: number
}

/** Consecutive events of one stream: the first one's number and position, and how many. */
export interface Piece {
  readonly stream: string
  readonly seq: number
  readonly position: number
  readonly count: number
}

/** What all events of a chunk share. */
export interface ChunkOwner {
  readonly tenant: string
  readonly account: string
  readonly device: string
  readonly receivedAtMs: number
  readonly meter: string
}

export interface ChunkRow {
  id: number
  meter: string
  tenant: string
  account: string
  device: string
  received_at_ms: number
  count: number
  spans: string
  body: string
}

/** Cuts events into lists whose bodies have about `maxChars` at most, each at least one event. */
export function cutByChars(events: readonly ChunkEvent[], maxChars: number): (readonly ChunkEvent[])[] {
  if (maxChars === Number.POSITIVE_INFINITY) return [events]
  const lists: ChunkEvent[][] = []
  let room = 0
  for (const event of events) {
    const chars = event.data.length + EVENT_OVERHEAD_CHARS
    if (chars > room || lists.length === 0) {
      lists.push([])
      room = maxChars
    }
    lists.at(-1)?.push(event)
    room -= chars
  }
  return lists
}

/** Whether cutByChars() would leave the pack whole. */
export function fits({ body, count }: EventPack, maxChars: number): boolean {
  return body.length + count * EVENT_OVERHEAD_CHARS <= maxChars
}

/** Its time and the marks around it, and its stream's id, which stands in the spans at most once for each event. */
const EVENT_OVERHEAD_CHARS = 80

/** The chunk's columns for its events. */
export function pack(events: readonly ChunkEvent[]): { spans: string; body: string } {
  const packer = createPacker()
  for (const { stream, seq, atMs, data } of events) packer.add(stream, seq, atMs, data)
  const { spans, body } = packer.done()
  return { spans: JSON.stringify(spans), body }
}

/** The chunk's events in the runs, which ascend. */
export function* placedEvents(row: ChunkRow, runs: readonly Run[]): Generator<PlacedEvent> {
  const lines = row.body.split('\n')
  const { id, meter, tenant, account, device, received_at_ms: receivedAtMs } = row
  for (const { stream, seq, position, count } of pieces(row.spans, runs)) {
    for (let i = 0; i < count; i++) {
      const { atMs, data } = readLine(lines[position + i] as string)
      const event = { tenant, account, device, stream, seq: seq + i, meter, atMs, data, receivedAtMs }
      yield { event, chunk: id, position: position + i }
    }
  }
}

/** Where a chunk's spans and the ascending runs meet, in one pass over both: there may be thousands of each. */
export function* pieces(spans: string, runs: readonly Run[]): Generator<Piece> {
  let index = 0
  let start = 0
  for (const [stream, first, count] of JSON.parse(spans) as Span[]) {
    const end = start + count
    while (index < runs.length) {
      const [, from, until] = runs[index] as Run
      const position = Math.max(from, start)
      const stop = Math.min(until, end)
      if (stop > position) yield { stream, seq: first + position - start, position, count: stop - position }
      if (until > end) break
      index++
    }
    start = end
  }
}

/** Joins neighbours: places must ascend. */
export function toRuns(places: readonly { chunk: number; position: number }[]): Run[] {
  const runs: Run[] = []
  for (const { chunk, position } of places) {
    const last = runs.at(-1)
    if (last && last[0] === chunk && last[2] === position) last[2]++
    else runs.push([chunk, position, position + 1])
  }
  return runs
}

/** The runs of the first `count` events. */
export function firstOf(runs: readonly Run[], count: number): Run[] {
  const first: Run[] = []
  let left = count
  for (const [chunk, from, until] of runs) {
    if (left === 0) break
    const size = Math.min(left, until - from)
    first.push([chunk, from, from + size])
    left -= size
  }
  return first
}
