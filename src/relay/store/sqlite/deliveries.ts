import type { DatabaseSync } from 'node:sqlite'
import { MetertapError } from '../../../wire/errors.ts'
import type { BuildDelivery, Delivery, DeliveryDraft, OpenDeliveryOptions } from '../contract.ts'
import { type Chunks, type PlacedEvent, type Run, toRuns } from './chunks.ts'
import type { DeadLetters } from './dead-letters.ts'
import type { Streams } from './streams.ts'

export interface Deliveries {
  /** 'again' when all that was offered could not be mapped: nothing to send yet, and more may wait. */
  open(options: OpenDeliveryOptions, build: BuildDelivery): Delivery | 'again' | undefined
  accept(id: string): void
  postpone(id: string, notBeforeMs: number, error: string): void
  split(id: string, build: BuildDelivery, nowMs: number): void
  bury(id: string, code: string, detail: string, nowMs: number): void
  /** Rows per lane in deliveries that are not settled. */
  rowsInDelivery(): { lane: string; rows: number }[]
}

interface DeliveryRow {
  id: string
  lane: string
  rows: number
  bytes: number
  attempts: number
  body: Uint8Array
}

interface Parts {
  readonly chunks: Chunks
  readonly streams: Streams
  readonly deadLetters: DeadLetters
  readonly newId: () => string
}

const MAX_ERROR_CHARS = 500

/** Upstream calls from cut to settlement. Everything here runs inside a transaction of the caller. */
export function createDeliveries(db: DatabaseSync, { chunks, streams, deadLetters, newId }: Parts): Deliveries {
  const held = db.prepare('SELECT 1 FROM deliveries WHERE lane = ? AND owner = ? AND lease_until_ms > ? LIMIT 1')
  const oldestDue = db.prepare(`
    SELECT id, lane, rows, bytes, attempts, body FROM deliveries
    WHERE lane = ? AND not_before_ms <= ? AND (owner IS NULL OR lease_until_ms <= ?)
    ORDER BY first_chunk, first_position LIMIT 1`)
  const claim = db.prepare('UPDATE deliveries SET owner = ?, lease_until_ms = ?, attempts = attempts + 1 WHERE id = ?')
  const insert = db.prepare(`
    INSERT INTO deliveries (id, lane, first_chunk, first_position, rows, bytes, runs, body)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?)`)
  const find = db.prepare('SELECT lane, rows, runs FROM deliveries WHERE id = ?')
  const remove = db.prepare('DELETE FROM deliveries WHERE id = ?')
  const postpone = db.prepare(`
    UPDATE deliveries SET owner = NULL, lease_until_ms = 0, not_before_ms = ?, last_error = ? WHERE id = ?`)
  const rowsByLane = db.prepare('SELECT lane, SUM(rows) AS rows FROM deliveries GROUP BY lane')

  function open({ lane, owner, leaseMs, nowMs, maxEvents }: OpenDeliveryOptions, build: BuildDelivery) {
    if (held.get(lane, owner, nowMs)) return undefined
    const row = (oldestDue.get(lane, nowMs, nowMs) as DeliveryRow | undefined) ?? cut(lane, maxEvents, nowMs, build)
    if (!row || row === 'again') return row
    claim.run(owner, nowMs + leaseMs, row.id)
    const { id, body, rows, bytes, attempts } = row
    return { id, lane, body, rows, bytes, attempts }
  }

  function cut(
    lane: string,
    maxEvents: number,
    nowMs: number,
    build: BuildDelivery,
  ): DeliveryRow | 'again' | undefined {
    const places = chunks.next(lane, maxEvents)
    if (places.length === 0) return undefined
    const { draft, delivery } = write(lane, places, build, nowMs)
    chunks.advance(lane, draft.taken, places[draft.taken - 1] as PlacedEvent)
    return delivery ?? 'again'
  }

  /** Makes a delivery of the first events, and dead letters of those among them that cannot be mapped. */
  function write(lane: string, places: readonly PlacedEvent[], build: BuildDelivery, nowMs: number) {
    const draft = checkDraft(build(places.map(({ event }) => event)), places.length)
    const refused = new Map(draft.unmappable.map((reason) => [reason.index, reason]))
    const used = places.slice(0, draft.taken)
    const dead: PlacedEvent[] = []
    const alive: PlacedEvent[] = []
    for (const [index, place] of used.entries()) (refused.has(index) ? dead : alive).push(place)
    for (const [index, { code, detail }] of refused) {
      deadLetters.add((places[index] as PlacedEvent).event, code, detail, nowMs)
    }
    if (dead.length > 0) streams.credit('dead', chunks.settle(toRuns(dead)))
    const [first] = alive
    if (!first) return { draft, delivery: undefined }
    const { body, rows, bytes } = draft
    const id = newId()
    insert.run(id, lane, first.chunk, first.position, rows, bytes, JSON.stringify(toRuns(alive)), body)
    return { draft, delivery: { id, lane, rows, bytes, attempts: 0, body } }
  }

  function settle(id: string, outcome: 'forwarded' | 'dead', runs: readonly Run[]): void {
    streams.credit(outcome, chunks.settle(runs))
    remove.run(id)
  }

  /** Undefined when it was settled before: another owner may have had it after the lease ended. */
  function load(id: string): { lane: string; rows: number; runs: Run[] } | undefined {
    const row = find.get(id) as { lane: string; rows: number; runs: string } | undefined
    return row && { lane: row.lane, rows: row.rows, runs: JSON.parse(row.runs) }
  }

  return {
    open,
    accept(id) {
      const found = load(id)
      if (found) settle(id, 'forwarded', found.runs)
    },
    postpone(id, notBeforeMs, error) {
      postpone.run(notBeforeMs, error.slice(0, MAX_ERROR_CHARS), id)
    },
    split(id, build, nowMs) {
      const found = load(id)
      if (!found) return
      if (found.rows < 2)
        throw new MetertapError('internal', 'A delivery of one event cannot be split: bury it.', { id })
      const places = chunks.read(found.runs)
      const middle = Math.ceil(places.length / 2)
      remove.run(id)
      for (const half of [places.slice(0, middle), places.slice(middle)]) {
        // A builder with tighter limits than before takes several drafts for a half.
        for (let at = 0; at < half.length; ) at += write(found.lane, half.slice(at), build, nowMs).draft.taken
      }
    },
    bury(id, code, detail, nowMs) {
      const found = load(id)
      if (!found) return
      for (const { event } of chunks.read(found.runs)) deadLetters.add(event, code, detail, nowMs)
      settle(id, 'dead', found.runs)
    },
    rowsInDelivery() {
      return rowsByLane.all() as { lane: string; rows: number }[]
    },
  }
}

/** A builder that miscounts would lose events or send them twice. */
function checkDraft(draft: DeliveryDraft, offered: number): DeliveryDraft {
  const { taken, rows, unmappable } = draft
  const indexes = new Set(unmappable.map(({ index }) => index))
  const inside = [...indexes].every((index) => Number.isInteger(index) && index >= 0 && index < taken)
  const isSound = Number.isInteger(taken) && taken >= 1 && taken <= offered && inside && rows === taken - indexes.size
  if (isSound) return draft
  throw new MetertapError('internal', 'The delivery builder has miscounted: nothing was changed. This is a bug.', {
    ...{ offered, taken, rows, unmappable: indexes.size },
  })
}
