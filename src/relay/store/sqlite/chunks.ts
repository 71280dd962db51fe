import type { DatabaseSync } from 'node:sqlite'
import type { AcceptableEvent, AcceptRequest, StoredEvent } from '../contract.ts'
import type { Credit } from './streams.ts'

/** Consecutive numbers of one stream in a chunk: `[stream, first, count]`. */
type Span = [stream: string, first: number, count: number]

/** Events of one chunk by position, `until` exclusive. */
export type Run = [chunk: number, from: number, until: number]

/** Consecutive events of one stream: the first one's number and position, and how many. */
interface Piece {
  readonly stream: string
  readonly seq: number
  readonly position: number
  readonly count: number
}

/** A stored event and where it lies. */
export interface PlacedEvent {
  readonly event: StoredEvent
  readonly chunk: number
  readonly position: number
}

export interface Chunks {
  /** Stores one request's new events of one meter. */
  add(request: AcceptRequest, meter: string, events: readonly AcceptableEvent[]): void
  /** The lane's oldest events that no delivery was cut from, up to maxEvents and a fixed sum of bytes, at least one. */
  next(lane: string, maxEvents: number): PlacedEvent[]
  /** Moves the lane's cursor behind `last`. */
  advance(lane: string, taken: number, last: PlacedEvent): void
  read(runs: readonly Run[]): PlacedEvent[]
  /** The events of the runs are done with: says whose they were, and deletes chunks in which nothing is left. */
  settle(runs: readonly Run[]): Credit[]
  /** Events per lane that no delivery was cut from. */
  waiting(): { lane: string; waiting: number }[]
}

interface ChunkHead {
  id: number
  lane: string
  tenant: string
  account: string
  device: string
  received_at_ms: number
  count: number
  unsettled: number
  spans: string
}

interface ChunkRow extends ChunkHead {
  body: string
}

/** Keeps the memory of one call bounded when events are large; twice what any upstream takes in one call. */
const MAX_OFFERED_CHARS = 8 * 1024 * 1024

const HEAD = 'id, lane, tenant, account, device, received_at_ms, count, unsettled, spans'

/** The stored events. Everything here runs inside a transaction of the caller. */
export function createChunks(db: DatabaseSync): Chunks {
  const addLane = db.prepare(
    'INSERT INTO lanes (lane, waiting) VALUES (?, ?) ON CONFLICT DO UPDATE SET waiting = waiting + excluded.waiting',
  )
  const insert = db.prepare(`
    INSERT INTO chunks (lane, tenant, account, device, received_at_ms, count, unsettled, spans, body)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`)
  const cursor = db.prepare('SELECT chunk, position FROM lanes WHERE lane = ?')
  const fromCursor = db.prepare(`SELECT ${HEAD}, body FROM chunks WHERE lane = ? AND id >= ? ORDER BY id`)
  const moveCursor = db.prepare('UPDATE lanes SET chunk = ?, position = ?, waiting = waiting - ? WHERE lane = ?')
  const head = db.prepare(`SELECT ${HEAD} FROM chunks WHERE id = ?`)
  const whole = db.prepare(`SELECT ${HEAD}, body FROM chunks WHERE id = ?`)
  const reduce = db.prepare('UPDATE chunks SET unsettled = unsettled - ? WHERE id = ?')
  const remove = db.prepare('DELETE FROM chunks WHERE id = ?')
  const lanes = db.prepare('SELECT lane, waiting FROM lanes ORDER BY lane')

  function next(lane: string, maxEvents: number): PlacedEvent[] {
    const start = cursor.get(lane) as { chunk: number; position: number } | undefined
    const found: PlacedEvent[] = []
    if (!start) return found
    let chars = 0
    for (const row of fromCursor.iterate(lane, start.chunk) as Iterable<unknown> as Iterable<ChunkRow>) {
      for (const placed of placedEvents(row, [[row.id, row.id === start.chunk ? start.position : 0, row.count]])) {
        chars += placed.event.data.length
        if (found.length > 0 && chars > MAX_OFFERED_CHARS) return found
        found.push(placed)
        if (found.length >= maxEvents) return found
      }
    }
    return found
  }

  function settle(runs: readonly Run[]): Credit[] {
    const credits = new Map<string, Credit>()
    for (const [id, ofChunk] of Map.groupBy(runs, ([chunk]) => chunk)) {
      const { tenant, account, unsettled, spans } = head.get(id) as unknown as ChunkHead
      let done = 0
      for (const { stream, count } of pieces(spans, ofChunk)) {
        const key = `${tenant}\n${account}\n${stream}`
        credits.set(key, { tenant, account, stream, count: (credits.get(key)?.count ?? 0) + count })
        done += count
      }
      if (unsettled === done) remove.run(id)
      else reduce.run(done, id)
    }
    return [...credits.values()]
  }

  return {
    add({ tenant, account, device, receivedAtMs }, meter, events) {
      addLane.run(meter, events.length)
      const { spans, body } = pack(events)
      insert.run(meter, tenant, account, device, receivedAtMs, events.length, events.length, spans, body)
    },
    next,
    advance(lane, taken, { chunk, position }) {
      moveCursor.run(chunk, position + 1, taken, lane)
    },
    read(runs) {
      const byChunk = [...Map.groupBy(runs, ([chunk]) => chunk)]
      return byChunk.flatMap(([id, ofChunk]) => [...placedEvents(whole.get(id) as unknown as ChunkRow, ofChunk)])
    },
    settle,
    waiting() {
      return lanes.all() as { lane: string; waiting: number }[]
    },
  }
}

function pack(events: readonly AcceptableEvent[]): { spans: string; body: string } {
  const spans: Span[] = []
  const lines: string[] = []
  for (const { stream, seq, atMs, data } of events) {
    const last = spans.at(-1)
    if (last && last[0] === stream && last[1] + last[2] === seq) last[2]++
    else spans.push([stream, seq, 1])
    lines.push(`[${atMs},${oneLine(data)}]`)
  }
  return { spans: JSON.stringify(spans), body: lines.join('\n') }
}

/** JSON text holds line breaks only between its tokens, where a space means the same. */
function oneLine(json: string): string {
  return json.includes('\n') ? json.replaceAll('\n', ' ') : json
}

function* placedEvents(row: ChunkRow, runs: readonly Run[]): Generator<PlacedEvent> {
  const lines = row.body.split('\n')
  const { id, tenant, account, device, lane: meter, received_at_ms: receivedAtMs } = row
  for (const { stream, seq, position, count } of pieces(row.spans, runs)) {
    for (let i = 0; i < count; i++) {
      const line = lines[position + i] as string
      const comma = line.indexOf(',')
      const event = {
        ...{ tenant, account, device, stream, seq: seq + i, meter },
        atMs: Number(line.slice(1, comma)),
        data: line.slice(comma + 1, -1),
        receivedAtMs,
      }
      yield { event, chunk: id, position: position + i }
    }
  }
}

/** Where a chunk's spans and the ascending runs meet, in one pass over both: there may be thousands of each. */
function* pieces(spans: string, runs: readonly Run[]): Generator<Piece> {
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
