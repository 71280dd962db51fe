import { MetertapError } from '../../../wire/errors.ts'
import type { BuildDelivery, Delivery, OpenDeliveryOptions } from '../contract.ts'
import { checkDraft } from '../core/check-draft.ts'
import { type PlacedEvent, type Run, toRuns } from '../core/chunk-format.ts'
import { type LoadedDelivery, MAX_ERROR_CHARS } from '../core/delivery-row.ts'
import { isLate, type LateRule } from '../core/late-rule.ts'
import type { Bookkeeping } from './bookkeeping.ts'
import type { Chunks } from './chunks.ts'
import { type Claims, DOUBT } from './claims.ts'
import type { DeadLetters } from './dead-letters.ts'
import { quoted, type Sql } from './sql.ts'

/** Upstream calls from cut to settlement. Everything here runs inside a transaction of the caller. */
export interface Deliveries {
  /** 'again' when all that was offered could not be mapped or was late: nothing to send yet, and more may wait. */
  open(sql: Sql, options: OpenDeliveryOptions, build: BuildDelivery): Promise<Delivery | 'again' | undefined>
  accept(sql: Sql, id: string, nowMs: number): Promise<void>
  postpone(sql: Sql, id: string, notBeforeMs: number, error: string, inDoubt: boolean): Promise<void>
  split(sql: Sql, id: string, build: BuildDelivery, inDoubt: boolean, nowMs: number): Promise<void>
  bury(sql: Sql, id: string, code: string, detail: string, nowMs: number): Promise<void>
}

interface Parts {
  readonly chunks: Chunks
  readonly books: Bookkeeping
  readonly deadLetters: DeadLetters
  readonly claims: Claims
  readonly newId: () => string
}

export function createDeliveries(schema: string, parts: Parts): Deliveries {
  const { chunks, books, deadLetters, claims, newId } = parts
  const table = `${quoted(schema)}.deliveries`
  const insert = `
    INSERT INTO ${table} (id, lane, first_chunk, first_position, oldest_received_ms, rows, bytes, oldest_at_ms,
      doubt_since_ms, runs, body)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)`
  const find = (doubt: string): string =>
    `SELECT lane, rows, runs, ${doubt} AS doubt FROM ${table} WHERE id = $1 FOR UPDATE`
  const remove = `DELETE FROM ${table} WHERE id = $1`

  async function cut(
    sql: Sql,
    options: OpenDeliveryOptions,
    build: BuildDelivery,
  ): Promise<string | 'again' | undefined> {
    const { lane, maxEvents, nowMs, late, ordered = false } = options
    const places = await chunks.next(sql, lane, maxEvents, ordered)
    const last = places.at(-1)
    if (!last) return undefined
    const timely = late ? places.filter((place) => !isLate(place, late)) : places
    const written = timely.length === 0 ? undefined : await write(sql, lane, timely, build, null, nowMs)
    // What lies behind the last event used is offered again, be it late or not.
    const isAllUsed = written === undefined || written.taken === timely.length
    const end = isAllUsed ? last : (timely[written.taken - 1] as PlacedEvent)
    const used = places.slice(0, places.indexOf(end) + 1)
    await chunks.advance(sql, lane, used)
    if (late) await divertLate(sql, used, late)
    return written?.id ?? 'again'
  }

  /** Moves the late ones among the places to the end of their own lane, as new chunks. */
  async function divertLate(sql: Sql, places: readonly PlacedEvent[], rule: LateRule): Promise<void> {
    const late = places.filter((place) => isLate(place, rule))
    if (late.length === 0) return
    const moved = [...Map.groupBy(late, ({ chunk }) => chunk).values()].map((ofChunk) => {
      const events = ofChunk.map(({ event }) => event)
      return { owner: events[0] as PlacedEvent['event'], lane: rule.lane, events }
    })
    await chunks.add(sql, moved)
    await chunks.settle(sql, toRuns(late))
  }

  /** Makes a delivery of the first events, and dead letters of those among them that cannot be mapped. */
  async function write(
    sql: Sql,
    lane: string,
    places: readonly PlacedEvent[],
    build: BuildDelivery,
    doubt: number | null,
    nowMs: number,
  ): Promise<{ taken: number; id: string | undefined }> {
    const { taken, body, rows, bytes, unmappable } = checkDraft(build(places.map(({ event }) => event)), places.length)
    const refused = new Map(unmappable.map((reason) => [reason.index, reason]))
    const used = [...places.slice(0, taken).entries()]
    const dead = used.filter(([index]) => refused.has(index)).map(([, place]) => place)
    const alive = used.filter(([index]) => !refused.has(index)).map(([, place]) => place)
    const deaths = [...refused.values()].map((why) => ({ ...why, event: (places[why.index] as PlacedEvent).event }))
    await deadLetters.add(sql, deaths, nowMs)
    if (dead.length > 0) await books.book(sql, 'dead', await chunks.settle(sql, toRuns(dead)), nowMs)
    const [first] = alive
    if (!first) return { taken, id: undefined }
    const id = newId()
    const oldestAtMs = alive.reduce((oldest, { event }) => Math.min(oldest, event.atMs), Number.MAX_VALUE)
    const place = [first.chunk, first.position, first.event.receivedAtMs]
    const runs = JSON.stringify(toRuns(alive))
    await sql(insert, [id, lane, ...place, rows, bytes, oldestAtMs, doubt, runs, Buffer.from(body)])
    return { taken, id }
  }

  async function settle(sql: Sql, id: string, outcome: 'forwarded' | 'dead', runs: readonly Run[], nowMs: number) {
    await sql(remove, [id])
    await books.book(sql, outcome, await chunks.settle(sql, runs), nowMs)
  }

  /** Undefined when it was settled before: another owner may have had it after the lease ended. */
  async function load(sql: Sql, id: string, inDoubt = true): Promise<LoadedDelivery | undefined> {
    const [row] = await sql<Omit<LoadedDelivery, 'runs'> & { runs: string }>(find(inDoubt ? DOUBT : 'doubt_since_ms'), [
      id,
    ])
    return row && { ...row, runs: JSON.parse(row.runs) }
  }

  return {
    async open(sql, options, build) {
      const taken = await claims.take(sql, options)
      if (taken === 'busy') return undefined
      if (taken || options.mayCut === false) return taken
      const id = await cut(sql, options, build)
      return id === undefined || id === 'again' ? id : claims.takeNew(sql, id, options)
    },
    async accept(sql, id, nowMs) {
      const found = await load(sql, id)
      if (found) await settle(sql, id, 'forwarded', found.runs, nowMs)
    },
    async postpone(sql, id, notBeforeMs, error, inDoubt) {
      await sql(
        `UPDATE ${table} SET doubt_since_ms = CASE WHEN $1::boolean THEN ${DOUBT} ELSE doubt_since_ms END, owner = NULL,
          lease_until_ms = 0, not_before_ms = $2, last_error = $3
        WHERE id = $4`,
        [inDoubt, notBeforeMs, error.slice(0, MAX_ERROR_CHARS).replaceAll('\0', '\uFFFD'), id],
      )
    },
    async split(sql, id, build, inDoubt, nowMs) {
      const found = await load(sql, id, inDoubt)
      if (!found) return
      if (found.rows < 2)
        throw new MetertapError('internal', 'A delivery of one event cannot be split: bury it.', { id })
      const places = await chunks.read(sql, found.runs)
      const middle = Math.ceil(places.length / 2)
      await sql(remove, [id])
      for (const half of [places.slice(0, middle), places.slice(middle)]) {
        // A builder with tighter limits than before takes several drafts for a half.
        for (let at = 0; at < half.length; ) {
          at += (await write(sql, found.lane, half.slice(at), build, found.doubt, nowMs)).taken
        }
      }
    },
    async bury(sql, id, code, detail, nowMs) {
      const found = await load(sql, id)
      if (!found) return
      const deaths = (await chunks.read(sql, found.runs)).map(({ event }) => ({ event, code, detail }))
      await deadLetters.add(sql, deaths, nowMs)
      await settle(sql, id, 'dead', found.runs, nowMs)
    },
  }
}
