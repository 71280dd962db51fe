import type { Sqlite } from '../../../sqlite/contract.ts'
import type { HeldEvents } from '../contract.ts'
import {
  type ChunkEvent,
  type ChunkOwner,
  type ChunkRow,
  cutByChars,
  pack,
  placedEvents,
} from '../core/chunk-format.ts'
import { creditsOf } from '../core/held-credits.ts'
import type { Bookkeeping } from './bookkeeping.ts'
import type { Chunks } from './chunks.ts'

export interface HeldChunks {
  /** Stores events that no lane sees. */
  add(owner: ChunkOwner, events: readonly ChunkEvent[]): void
  list(filter: { account?: string; limit?: number }): HeldEvents[]
  /** Moves the account's oldest chunks on hold to their lanes, a bounded number of them; how many events; 0: none are left. */
  releaseSome(owner: { readonly tenant: string; readonly account: string }, nowMs: number): number
}

const DEFAULT_LIMIT = 1_000
/** So that releasing millions does not hold up the requests. */
const CHUNKS_PER_RELEASE = 50

/** Events over their account's cap: stored like the others, out of the lanes' sight. All but list() run in a transaction. */
export function createHeldChunks(
  db: Sqlite,
  { chunks, books, maxChunkChars }: { chunks: Pick<Chunks, 'add'>; books: Bookkeeping; maxChunkChars: number },
): HeldChunks {
  const insert = db.prepare(`
    INSERT INTO held_chunks (meter, tenant, account, device, received_at_ms, count, spans, body)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?) RETURNING id`)
  const list = db.prepare(`
    SELECT tenant, account, meter, SUM(count) AS events, MIN(received_at_ms) AS sinceMs FROM held_chunks
    WHERE ?1 IS NULL OR account = ?1 GROUP BY account, tenant, meter LIMIT ?2`)
  const oldest = db.prepare('SELECT * FROM held_chunks WHERE account = ? AND tenant = ? ORDER BY id LIMIT ?')
  const remove = db.prepare('DELETE FROM held_chunks WHERE id = ?')

  function release(row: ChunkRow, nowMs: number): void {
    const { meter, tenant, account, device, received_at_ms: receivedAtMs } = row
    const events = [...placedEvents(row, [[row.id, 0, row.count]])].map(({ event }) => event)
    chunks.add({ tenant, account, device, receivedAtMs, meter }, meter, events)
    books.takeBack('on_hold', creditsOf(row), nowMs)
    remove.run(row.id)
  }

  return {
    add(owner, events) {
      const { tenant, account, device, receivedAtMs, meter } = owner
      for (const list of cutByChars(events, maxChunkChars)) {
        const { spans, body } = pack(list)
        const row = insert.get(meter, tenant, account, device, receivedAtMs, list.length, spans, body)
        books.book('on_hold', creditsOf({ ...owner, id: Number(row?.id), count: list.length, spans }), receivedAtMs)
      }
    },
    list({ account, limit = DEFAULT_LIMIT }) {
      const rows = list.all(account ?? null, limit)
      return rows.map((row) => ({ ...(row as unknown as HeldEvents) }))
    },
    releaseSome({ tenant, account }, nowMs) {
      const rows = oldest.all(account, tenant, CHUNKS_PER_RELEASE) as unknown as ChunkRow[]
      for (const row of rows) release(row, nowMs)
      return rows.reduce((sum, { count }) => sum + count, 0)
    },
  }
}
