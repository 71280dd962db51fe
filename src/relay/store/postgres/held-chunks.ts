import type { HeldEvents } from '../contract.ts'
import { type ChunkEvent, type ChunkOwner, type ChunkRow, pack, placedEvents } from '../core/chunk-format.ts'
import { creditsOf } from '../core/held-credits.ts'
import type { Bookkeeping } from './bookkeeping.ts'
import { CHUNK_FIELDS } from './chunk-fields.ts'
import type { Chunks } from './chunks.ts'
import { columns, quoted, type Sql } from './sql.ts'

export interface HeldChunks {
  /** Stores events that no lane sees; the caller counts them on hold. */
  add(
    sql: Sql,
    chunks: readonly { readonly owner: ChunkOwner; readonly events: readonly ChunkEvent[] }[],
  ): Promise<void>
  list(sql: Sql, filter: { account?: string; limit?: number }): Promise<HeldEvents[]>
  /** Moves the account's oldest chunks on hold to their lanes, a bounded number of them; how many events; 0: none are left. */
  releaseSome(sql: Sql, owner: { readonly tenant: string; readonly account: string }, nowMs: number): Promise<number>
}

const DEFAULT_LIMIT = 1_000
/** So that releasing millions keeps no lock for long. */
const CHUNKS_PER_RELEASE = 50

/** Events over their account's cap: stored like the others, out of the lanes' sight. */
export function createHeldChunks(
  schema: string,
  { chunks, books }: { chunks: Pick<Chunks, 'add'>; books: Bookkeeping },
): HeldChunks {
  const table = `${quoted(schema)}.held_chunks`
  const insert = `
    INSERT INTO ${table} (meter, tenant, account, device, received_at_ms, count, spans, body)
    SELECT meter, tenant, account, device, received_at_ms, count, spans, body
    FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::int8[], $6::int4[], $7::text[], $8::text[])
      WITH ORDINALITY AS v(meter, tenant, account, device, received_at_ms, count, spans, body, place) ORDER BY place`

  return {
    async add(sql, held) {
      if (held.length === 0) return
      const rows = held.map(({ owner, events }) => ({ ...owner, count: events.length, ...pack(events) }))
      await sql(insert, columns(rows, ...CHUNK_FIELDS))
    },
    list(sql, { account, limit = DEFAULT_LIMIT }) {
      return sql<HeldEvents>(
        `SELECT tenant, account, meter, sum(count)::int8 AS events, min(received_at_ms) AS "sinceMs" FROM ${table}
        WHERE $1::text IS NULL OR account = $1 GROUP BY account, tenant, meter ORDER BY account, tenant, meter LIMIT $2`,
        [account ?? null, limit],
      )
    },
    async releaseSome(sql, { tenant, account }, nowMs) {
      const oldest = `SELECT * FROM ${table} WHERE account = $1 AND tenant = $2 ORDER BY id LIMIT $3 FOR UPDATE`
      const rows = await sql<ChunkRow>(oldest, [account, tenant, CHUNKS_PER_RELEASE])
      if (rows.length === 0) return 0
      const released = rows.map((row) => {
        const events = [...placedEvents(row, [[row.id, 0, row.count]])].map(({ event }) => event)
        const owner = { ...row, receivedAtMs: row.received_at_ms }
        return { owner, lane: row.meter, events }
      })
      await books.takeBack(sql, 'on_hold', rows.flatMap(creditsOf), nowMs)
      await sql(`DELETE FROM ${table} WHERE id = ANY($1::int8[])`, [rows.map(({ id }) => id)])
      await chunks.add(sql, released)
      return rows.reduce((sum, { count }) => sum + count, 0)
    },
  }
}
