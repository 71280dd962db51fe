import type { Sqlite } from '../../../sqlite/contract.ts'
import { eventsOf } from '../../event-pack.ts'
import type { EventPack, StoredEvent } from '../contract.ts'
import {
  type ChunkEvent,
  type ChunkOwner,
  type ChunkRow,
  cutByChars,
  fits,
  type PlacedEvent,
  pack,
  pieces,
  placedEvents,
  type Run,
} from '../core/chunk-format.ts'
import type { Credit } from '../core/outcomes.ts'

export interface Chunks {
  /** Stores events at the end of a lane. */
  add(owner: ChunkOwner, lane: string, events: readonly ChunkEvent[]): void
  /** The same for a pack. */
  addPack(owner: ChunkOwner, lane: string, pack: EventPack): void
  /** The lane's oldest events that no delivery was cut from, up to maxEvents and a fixed sum of bytes, at least one. */
  next(lane: string, maxEvents: number): PlacedEvent[]
  /** See RelayStore, waitingOfOthers. */
  ofOthers(lane: string, owner: Pick<ChunkOwner, 'tenant' | 'account'>): StoredEvent[]
  /** Moves the lane's cursor behind `last`. */
  advance(lane: string, taken: number, last: PlacedEvent): void
  read(runs: readonly Run[]): PlacedEvent[]
  /** The events of the runs are done with: says whose they were, and deletes chunks in which nothing is left. */
  settle(runs: readonly Run[]): Credit[]
}

interface StoredChunk extends ChunkRow {
  unsettled: number
}

/** Keeps the memory of one call bounded when events are large; twice what any upstream takes in one call. */
const MAX_OFFERED_CHARS = 8 * 1024 * 1024

const HEAD = 'id, meter, tenant, account, device, received_at_ms, count, unsettled, spans'

/** The stored events. Everything here runs inside a transaction of the caller. */
export function createChunks(db: Sqlite, maxChunkChars: number): Chunks {
  const addLane = db.prepare(
    'INSERT INTO lanes (lane, waiting) VALUES (?, ?) ON CONFLICT DO UPDATE SET waiting = waiting + excluded.waiting',
  )
  const insert = db.prepare(`
    INSERT INTO chunks (lane, meter, tenant, account, device, received_at_ms, count, unsettled, spans, body)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`)
  const cursor = db.prepare('SELECT chunk, position FROM lanes WHERE lane = ?')
  const fromCursor = db.prepare(`SELECT ${HEAD}, body FROM chunks WHERE lane = ? AND id >= ? ORDER BY id`)
  const othersFromCursor = db.prepare(`
    SELECT ${HEAD}, body FROM chunks WHERE lane = ? AND id >= ? AND (id > ? OR count > ?)
      AND (tenant, account) <> (?, ?) ORDER BY id LIMIT 1`)
  const moveCursor = db.prepare('UPDATE lanes SET chunk = ?, position = ?, waiting = waiting - ? WHERE lane = ?')
  const head = db.prepare(`SELECT ${HEAD} FROM chunks WHERE id = ?`)
  const whole = db.prepare(`SELECT ${HEAD}, body FROM chunks WHERE id = ?`)
  const reduce = db.prepare('UPDATE chunks SET unsettled = unsettled - ? WHERE id = ?')
  const remove = db.prepare('DELETE FROM chunks WHERE id = ?')

  function write(
    { tenant, account, device, receivedAtMs, meter }: ChunkOwner,
    lane: string,
    { count, spans, body }: { count: number; spans: string; body: string },
  ): void {
    insert.run(lane, meter, tenant, account, device, receivedAtMs, count, count, spans, body)
  }

  function add(owner: ChunkOwner, lane: string, events: readonly ChunkEvent[]): void {
    addLane.run(lane, events.length)
    for (const list of cutByChars(events, maxChunkChars)) write(owner, lane, { count: list.length, ...pack(list) })
  }

  function next(lane: string, maxEvents: number): PlacedEvent[] {
    const start = cursor.get(lane) as { chunk: number; position: number } | undefined
    const found: PlacedEvent[] = []
    if (!start) return found
    let chars = 0
    for (const row of fromCursor.iterate(lane, start.chunk) as Iterable<unknown> as Iterable<StoredChunk>) {
      for (const placed of placedEvents(row, [[row.id, row.id === start.chunk ? start.position : 0, row.count]])) {
        chars += placed.event.data.length
        if (found.length > 0 && chars > MAX_OFFERED_CHARS) return found
        found.push(placed)
        if (found.length >= maxEvents) return found
      }
    }
    return found
  }

  function ofOthers(lane: string, { tenant, account }: Pick<ChunkOwner, 'tenant' | 'account'>): StoredEvent[] {
    const start = cursor.get(lane) as { chunk: number; position: number } | undefined
    if (!start) return []
    const { chunk, position } = start
    const row = othersFromCursor.get(lane, chunk, chunk, position, tenant, account) as StoredChunk | undefined
    if (!row) return []
    return [...placedEvents(row, [[row.id, row.id === chunk ? position : 0, row.count]])].map(({ event }) => event)
  }

  function settle(runs: readonly Run[]): Credit[] {
    const credits = new Map<string, Credit>()
    for (const [id, ofChunk] of Map.groupBy(runs, ([chunk]) => chunk)) {
      const { tenant, account, meter, unsettled, spans } = head.get(id) as unknown as StoredChunk
      let done = 0
      for (const { stream, count } of pieces(spans, ofChunk)) {
        const key = `${tenant}\n${account}\n${stream}\n${meter}`
        credits.set(key, { tenant, account, stream, meter, count: (credits.get(key)?.count ?? 0) + count })
        done += count
      }
      if (unsettled === done) remove.run(id)
      else reduce.run(done, id)
    }
    return [...credits.values()]
  }

  return {
    add,
    addPack(owner, lane, pack) {
      if (!fits(pack, maxChunkChars)) return add(owner, lane, eventsOf(pack))
      addLane.run(lane, pack.count)
      write(owner, lane, { count: pack.count, spans: JSON.stringify(pack.spans), body: pack.body })
    },
    next,
    ofOthers,
    advance(lane, taken, { chunk, position }) {
      moveCursor.run(chunk, position + 1, taken, lane)
    },
    read(runs) {
      const byChunk = [...Map.groupBy(runs, ([chunk]) => chunk)]
      return byChunk.flatMap(([id, ofChunk]) => [...placedEvents(whole.get(id) as unknown as StoredChunk, ofChunk)])
    },
    settle,
  }
}
