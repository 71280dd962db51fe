import type { Sqlite } from '../../../sqlite/contract.ts'
import { MetertapError } from '../../../wire/errors.ts'
import type { BuildDelivery, Delivery, OpenDeliveryOptions } from '../contract.ts'
import { checkDraft } from '../core/check-draft.ts'
import { type PlacedEvent, type Run, toRuns } from '../core/chunk-format.ts'
import { type LoadedDelivery, MAX_ERROR_CHARS } from '../core/delivery-row.ts'
import { isLate } from '../core/late-rule.ts'
import type { Bookkeeping } from './bookkeeping.ts'
import type { Chunks } from './chunks.ts'
import type { DeadLetters } from './dead-letters.ts'
import { divertLate } from './late-events.ts'

export interface Deliveries {
  /** 'again' when all that was offered could not be mapped or was late: nothing to send yet, and more may wait. */
  open(options: OpenDeliveryOptions, build: BuildDelivery): Delivery | 'again' | undefined
  accept(id: string, nowMs: number): void
  postpone(id: string, notBeforeMs: number, error: string, inDoubt: boolean): void
  split(id: string, build: BuildDelivery, inDoubt: boolean, nowMs: number): void
  bury(id: string, code: string, detail: string, nowMs: number): void
}

interface DeliveryRow {
  id: string
  lane: string
  rows: number
  bytes: number
  attempts: number
  oldestAtMs: number
  body: Uint8Array
}

interface Parts {
  readonly chunks: Chunks
  readonly books: Bookkeeping
  readonly deadLetters: DeadLetters
  readonly newId: () => string
}

// A claim that nobody settled or gave back may have reached the upstream.
const DOUBT = 'CASE WHEN owner IS NULL THEN doubt_since_ms ELSE coalesce(doubt_since_ms, claimed_at_ms) END'

/** Upstream calls from cut to settlement. Everything here runs inside a transaction of the caller. */
export function createDeliveries(db: Sqlite, { chunks, books, deadLetters, newId }: Parts): Deliveries {
  const COLUMNS = 'id, lane, rows, bytes, attempts, oldest_at_ms AS oldestAtMs, body'
  const claimed = db.prepare('SELECT 1 FROM deliveries WHERE lane = ? AND owner = ? AND lease_until_ms > ? LIMIT 1')
  const oldestDue = db.prepare(`
    SELECT ${COLUMNS} FROM deliveries
    WHERE lane = ? AND parked_at_ms IS NULL AND not_before_ms <= ? AND (owner IS NULL OR lease_until_ms <= ?)
    ORDER BY first_chunk, first_position LIMIT 1`)
  const oldest = db.prepare(`
    SELECT id, not_before_ms <= ?2 AND (owner IS NULL OR lease_until_ms <= ?2) AS due FROM deliveries
    WHERE lane = ?1 AND parked_at_ms IS NULL ORDER BY first_chunk, first_position LIMIT 1`)
  const claim = db.prepare(`
    UPDATE deliveries SET doubt_since_ms = ${DOUBT}, owner = ?, lease_until_ms = ?, claimed_at_ms = ?,
      attempts = attempts + 1
    WHERE id = ? RETURNING doubt_since_ms AS doubt`)
  const insert = db.prepare(`
    INSERT INTO deliveries (id, lane, first_chunk, first_position, rows, bytes, oldest_at_ms, doubt_since_ms, runs, body)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`)
  const find = db.prepare(`SELECT lane, rows, runs, ${DOUBT} AS doubt FROM deliveries WHERE id = ?`)
  const findCertain = db.prepare('SELECT lane, rows, runs, doubt_since_ms AS doubt FROM deliveries WHERE id = ?')
  const remove = db.prepare('DELETE FROM deliveries WHERE id = ?')
  const postpone = db.prepare(`
    UPDATE deliveries SET doubt_since_ms = CASE WHEN ? THEN ${DOUBT} ELSE doubt_since_ms END, owner = NULL,
      lease_until_ms = 0, not_before_ms = ?, last_error = ?
    WHERE id = ?`)

  function open(options: OpenDeliveryOptions, build: BuildDelivery): Delivery | 'again' | undefined {
    const { lane, owner, leaseMs, nowMs, ordered, mayCut = true } = options
    if (claimed.get(lane, owner, nowMs)) return undefined
    if (ordered && oldest.get(lane, nowMs)?.due === 0) return undefined
    const due = oldestDue.get(lane, nowMs, nowMs) as DeliveryRow | undefined
    const row = due ?? (mayCut ? cut(options, build) : undefined)
    if (!row || row === 'again') return row
    const doubt = claim.get(owner, nowMs + leaseMs, nowMs, row.id)?.doubt as number | null
    const { id, body, rows, bytes, attempts, oldestAtMs } = row
    return { id, lane, body, rows, bytes, attempts, oldestAtMs, ...(doubt === null ? {} : { doubtSinceMs: doubt }) }
  }

  function cut(options: OpenDeliveryOptions, build: BuildDelivery): DeliveryRow | 'again' | undefined {
    const { lane, maxEvents, nowMs, late } = options
    const places = chunks.next(lane, maxEvents)
    const last = places.at(-1)
    if (!last) return undefined
    const timely = late ? places.filter((place) => !isLate(place, late)) : places
    if (timely.length === 0) return divert(places, last, options)
    const { draft, delivery } = write(lane, timely, build, null, nowMs)
    // What lies behind the last event used is offered again, be it late or not.
    const end = draft.taken === timely.length ? last : (timely[draft.taken - 1] as PlacedEvent)
    const used = places.slice(0, places.indexOf(end) + 1)
    divert(used, end, options)
    return delivery ?? 'again'
  }

  function divert(used: readonly PlacedEvent[], end: PlacedEvent, { lane, late }: OpenDeliveryOptions): 'again' {
    chunks.advance(lane, used.length, end)
    if (late) divertLate(used, late, chunks)
    return 'again'
  }

  /** Makes a delivery of the first events, and dead letters of those among them that cannot be mapped. */
  function write(
    lane: string,
    places: readonly PlacedEvent[],
    build: BuildDelivery,
    doubt: number | null,
    nowMs: number,
  ) {
    const draft = checkDraft(build(places.map(({ event }) => event)), places.length)
    const refused = new Map(draft.unmappable.map((reason) => [reason.index, reason]))
    const used = places.slice(0, draft.taken)
    const dead: PlacedEvent[] = []
    const alive: PlacedEvent[] = []
    for (const [index, place] of used.entries()) (refused.has(index) ? dead : alive).push(place)
    for (const [index, { code, detail }] of refused) {
      deadLetters.add((places[index] as PlacedEvent).event, code, detail, nowMs)
    }
    if (dead.length > 0) books.book('dead', chunks.settle(toRuns(dead)), nowMs)
    const [first] = alive
    if (!first) return { draft, delivery: undefined }
    const { body, rows, bytes } = draft
    const id = newId()
    const oldestAtMs = alive.reduce((oldest, { event }) => Math.min(oldest, event.atMs), Number.MAX_VALUE)
    const runs = JSON.stringify(toRuns(alive))
    insert.run(id, lane, first.chunk, first.position, rows, bytes, oldestAtMs, doubt, runs, body)
    return { draft, delivery: { id, lane, rows, bytes, attempts: 0, oldestAtMs, body } }
  }

  function settle(id: string, outcome: 'forwarded' | 'dead', runs: readonly Run[], nowMs: number): void {
    books.book(outcome, chunks.settle(runs), nowMs)
    remove.run(id)
  }

  /** Undefined when it was settled before: another owner may have had it after the lease ended. */
  function load(id: string, inDoubt = true): LoadedDelivery | undefined {
    const row = (inDoubt ? find : findCertain).get(id) as (Omit<LoadedDelivery, 'runs'> & { runs: string }) | undefined
    return row && { ...row, runs: JSON.parse(row.runs) }
  }

  return {
    open,
    accept(id, nowMs) {
      const found = load(id)
      if (found) settle(id, 'forwarded', found.runs, nowMs)
    },
    postpone(id, notBeforeMs, error, inDoubt) {
      postpone.run(inDoubt ? 1 : 0, notBeforeMs, error.slice(0, MAX_ERROR_CHARS), id)
    },
    split(id, build, inDoubt, nowMs) {
      const found = load(id, inDoubt)
      if (!found) return
      if (found.rows < 2)
        throw new MetertapError('internal', 'A delivery of one event cannot be split: bury it.', { id })
      const places = chunks.read(found.runs)
      const middle = Math.ceil(places.length / 2)
      remove.run(id)
      for (const half of [places.slice(0, middle), places.slice(middle)]) {
        // A builder with tighter limits than before takes several drafts for a half.
        for (let at = 0; at < half.length; ) {
          at += write(found.lane, half.slice(at), build, found.doubt, nowMs).draft.taken
        }
      }
    },
    bury(id, code, detail, nowMs) {
      const found = load(id)
      if (!found) return
      for (const { event } of chunks.read(found.runs)) deadLetters.add(event, code, detail, nowMs)
      settle(id, 'dead', found.runs, nowMs)
    },
  }
}
