import type { StoredEvent } from '../contract.ts'
import {
  type ChunkEvent,
  type ChunkOwner,
  type ChunkRow,
  type PlacedEvent,
  pack,
  pieces,
  placedEvents,
  type Run,
} from '../core/chunk-format.ts'
import type { Credit } from '../core/outcomes.ts'
import { CHUNK_FIELDS } from './chunk-fields.ts'
import { columns, quoted, type Sql } from './sql.ts'
import { SHARD } from './totals.ts'

/** Events on their way into a lane. */
export interface NewChunk {
  readonly owner: ChunkOwner
  readonly lane: string
  readonly events: readonly ChunkEvent[]
}

export interface Chunks {
  /** Stores events at the end of their lanes. */
  add(sql: Sql, chunks: readonly NewChunk[]): Promise<unknown>
  /**
   * The lane's oldest events that no delivery was cut from, up to maxEvents and a fixed sum of bytes, at least one. Their
   * chunks are locked. Chunks that another process has locked are passed over, or waited for when `isPatient`.
   */
  next(sql: Sql, lane: string, maxEvents: number, isPatient: boolean): Promise<PlacedEvent[]>
  /** See RelayStore, waitingOfOthers. */
  ofOthers(sql: Sql, lane: string, owner: Pick<ChunkOwner, 'tenant' | 'account'>): Promise<StoredEvent[]>
  /** The first places of what next() gave are used up. */
  advance(sql: Sql, lane: string, used: readonly PlacedEvent[]): Promise<unknown>
  read(sql: Sql, runs: readonly Run[]): Promise<PlacedEvent[]>
  /** The events of the runs are done with: says whose they were, and deletes chunks in which nothing is left. */
  settle(sql: Sql, runs: readonly Run[]): Promise<Credit[]>
}

interface StoredChunk extends ChunkRow {
  unsettled: number
  cut: number
}

/** Keeps the memory of one call bounded when events are large; twice what any upstream takes in one call. */
const MAX_OFFERED_CHARS = 8 * 1024 * 1024
const FIRST_LOOK = 8
const MAX_LOOK = 512
/** Ids of a day: the database's clock tells it, since it is one for all processes. */
export const IDS_PER_DAY = 2 ** 38
const DAY_START = `(extract(epoch FROM now())::int8 / 86400) * ${IDS_PER_DAY}`

/** The stored events. Everything here runs inside a transaction of the caller. */
export function createChunks(schema: string): Chunks {
  const s = quoted(schema)
  const insert = `
    INSERT INTO ${s}.chunks (id, lane, meter, tenant, account, device, received_at_ms, count, unsettled, chars, spans, body)
    SELECT ${DAY_START} + nextval('${s}.chunk_ids'), lane, meter, tenant, account, device, received_at_ms, count, count,
      length(body), spans, body
    FROM (
      SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::int8[], $7::int4[],
        $8::text[], $9::text[]) WITH ORDINALITY
        AS g(lane, meter, tenant, account, device, received_at_ms, count, spans, body, place) ORDER BY place
    ) v`
  const addWaiting = `
    INSERT INTO ${s}.lane_counts AS t (lane, shard, waiting)
    SELECT lane, ${SHARD}, sum(n)::int8 FROM unnest($1::text[], $2::int8[]) AS v(lane, n) GROUP BY lane ORDER BY lane
    ON CONFLICT (lane, shard) DO UPDATE SET waiting = t.waiting + excluded.waiting`
  const look = (lock: string): string => `
    SELECT * FROM ${s}.chunks WHERE lane = $1 AND cut < count AND id > $2 ORDER BY id LIMIT $3 FOR UPDATE ${lock}`
  const others = `
    SELECT * FROM ${s}.chunks WHERE lane = $1 AND cut < count AND (tenant, account) <> ($2, $3) ORDER BY id LIMIT 1`
  const cut = `
    UPDATE ${s}.chunks t SET cut = v.cut FROM unnest($1::int8[], $2::int4[]) AS v(id, cut)
    WHERE t.id = v.id AND t.id = ANY($1::int8[])`
  const heads = `
    SELECT id, tenant, account, meter, unsettled, spans FROM ${s}.chunks WHERE id = ANY($1::int8[]) ORDER BY id FOR UPDATE`
  const whole = `SELECT * FROM ${s}.chunks WHERE id = ANY($1::int8[]) ORDER BY id`
  const reduce = `
    UPDATE ${s}.chunks t SET unsettled = t.unsettled - v.n FROM unnest($1::int8[], $2::int4[]) AS v(id, n)
    WHERE t.id = v.id AND t.id = ANY($1::int8[])`

  function waiting(sql: Sql, counts: ReadonlyMap<string, number>): Promise<unknown> {
    return sql(addWaiting, [[...counts.keys()], [...counts.values()]])
  }

  return {
    async add(sql, chunks) {
      if (chunks.length === 0) return
      const rows = chunks.map(({ owner, lane, events }) => ({ ...owner, lane, count: events.length, ...pack(events) }))
      const counts = new Map<string, number>()
      for (const { lane, count } of rows) counts.set(lane, (counts.get(lane) ?? 0) + count)
      const given = columns(rows, (row) => row.lane, ...CHUNK_FIELDS)
      await Promise.all([sql(insert, given), waiting(sql, counts)])
    },
    async next(sql, lane, maxEvents, isPatient) {
      const found: PlacedEvent[] = []
      const statement = look(isPatient ? '' : 'SKIP LOCKED')
      let chars = 0
      let after = -1
      for (let size = FIRST_LOOK; ; size = Math.min(2 * size, MAX_LOOK)) {
        const rows = await sql<StoredChunk>(statement, [lane, after, size])
        for (const row of rows) {
          for (const placed of placedEvents(row, [[row.id, row.cut, row.count]])) {
            chars += placed.event.data.length
            if (found.length > 0 && chars > MAX_OFFERED_CHARS) return found
            found.push(placed)
            if (found.length >= maxEvents) return found
          }
          after = row.id
        }
        if (rows.length < size) return found
      }
    },
    async ofOthers(sql, lane, { tenant, account }) {
      const [row] = await sql<StoredChunk>(others, [lane, tenant, account])
      return row ? [...placedEvents(row, [[row.id, row.cut, row.count]])].map(({ event }) => event) : []
    },
    async advance(sql, lane, used) {
      const ends = new Map(used.map(({ chunk, position }) => [chunk, position + 1]))
      const written = sql(cut, [[...ends.keys()], [...ends.values()]])
      await Promise.all([written, waiting(sql, new Map([[lane, -used.length]]))])
    },
    async read(sql, runs) {
      const byChunk = Map.groupBy(runs, ([chunk]) => chunk)
      const rows = await sql<StoredChunk>(whole, [[...byChunk.keys()]])
      return rows.flatMap((row) => [...placedEvents(row, byChunk.get(row.id) ?? [])])
    },
    async settle(sql, runs) {
      const byChunk = Map.groupBy(runs, ([chunk]) => chunk)
      const credits = new Map<string, Credit>()
      const done: number[] = []
      const less = new Map<number, number>()
      for (const row of await sql<StoredChunk>(heads, [[...byChunk.keys()]])) {
        const { id, tenant, account, meter, unsettled, spans } = row
        let settled = 0
        for (const { stream, count } of pieces(spans, byChunk.get(id) ?? [])) {
          const key = `${tenant}\n${account}\n${stream}\n${meter}`
          credits.set(key, { tenant, account, stream, meter, count: (credits.get(key)?.count ?? 0) + count })
          settled += count
        }
        if (settled === unsettled) done.push(id)
        else less.set(id, settled)
      }
      await Promise.all([
        ...(done.length === 0 ? [] : [sql(`DELETE FROM ${s}.chunks WHERE id = ANY($1::int8[])`, [done])]),
        ...(less.size === 0 ? [] : [sql(reduce, [[...less.keys()], [...less.values()]])]),
      ])
      return [...credits.values()]
    },
  }
}
