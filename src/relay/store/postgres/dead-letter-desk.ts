import type { DeadLetterFilter, RelayDeadLetter } from '../contract.ts'
import { isIds, type LetterRow, ownerOf, toLetter } from '../core/letters.ts'
import type { Bookkeeping } from './bookkeeping.ts'
import type { Chunks } from './chunks.ts'
import { quoted, type Sql } from './sql.ts'

/** What an operator does with dead letters. */
export interface DeadLetterDesk {
  /** Newest first. */
  find(sql: Sql, filter: DeadLetterFilter): Promise<RelayDeadLetter[]>
  /** False when there is no such letter. */
  edit(sql: Sql, id: number, data: string): Promise<boolean>
  /** Those that went back into their lanes. */
  replay(sql: Sql, selection: readonly number[] | DeadLetterFilter, nowMs: number): Promise<RelayDeadLetter[]>
  /** How many there were. */
  discard(sql: Sql, ids: readonly number[], nowMs: number): Promise<number>
}

const COLUMNS = `id, tenant, account, device, stream, seq, meter, at_ms AS "atMs", data,
  original_data AS "originalData", needs_edit AS "needsEdit", received_at_ms AS "receivedAtMs", code, detail,
  died_at_ms AS "diedAtMs"`
const DEFAULT_LIMIT = 100

export function createDeadLetterDesk(
  schema: string,
  { chunks, books }: { chunks: Pick<Chunks, 'add'>; books: Bookkeeping },
): DeadLetterDesk {
  const table = `${quoted(schema)}.dead_letters`

  async function select(sql: Sql, filter: DeadLetterFilter, lock = ''): Promise<RelayDeadLetter[]> {
    const { before, limit = DEFAULT_LIMIT } = filter
    const given: unknown[] = [limit]
    const conditions = ['true']
    if (before !== undefined) conditions.push(`id < $${given.push(before)}`)
    for (const name of ['id', 'meter', 'account', 'stream', 'code'] as const) {
      if (filter[name] !== undefined) conditions.push(`${name} = $${given.push(filter[name])}`)
    }
    const text = `SELECT ${COLUMNS} FROM ${table} WHERE ${conditions.join(' AND ')} ORDER BY id DESC LIMIT $1 ${lock}`
    return (await sql<LetterRow>(text, given)).map(toLetter)
  }

  /** Locked, so that of two operators one has them. */
  async function named(sql: Sql, ids: readonly number[]): Promise<RelayDeadLetter[]> {
    const text = `SELECT ${COLUMNS} FROM ${table} WHERE id = ANY($1::int8[]) ORDER BY id DESC FOR UPDATE`
    return (await sql<LetterRow>(text, [ids])).map(toLetter)
  }

  async function takeOut(sql: Sql, letters: readonly RelayDeadLetter[], nowMs: number): Promise<void> {
    const credits = letters.map((letter) => ({ ...letter, count: 1 }))
    await books.takeBack(sql, 'dead', credits, nowMs)
    await sql(`DELETE FROM ${table} WHERE id = ANY($1::int8[])`, [letters.map(({ id }) => id)])
  }

  return {
    find: (sql, filter) => select(sql, filter),
    async edit(sql, id, data) {
      const changed = await sql(
        `UPDATE ${table} SET original_data = coalesce(original_data, data), data = $1, needs_edit = false WHERE id = $2
        RETURNING id`,
        [data, id],
      )
      return changed.length === 1
    },
    async replay(sql, selection, nowMs) {
      const chosen = isIds(selection) ? await named(sql, selection) : await select(sql, selection, 'FOR UPDATE')
      const letters = chosen.filter(({ needsEdit }) => !needsEdit)
      if (letters.length === 0) return letters
      // In the order in which they died, letters of one batch together.
      const ascending = letters.toSorted((a, b) => a.id - b.id)
      const groups = [...Map.groupBy(ascending, ownerOf).values()] as [RelayDeadLetter, ...RelayDeadLetter[]][]
      await takeOut(sql, letters, nowMs)
      await chunks.add(
        sql,
        groups.map((events) => ({ owner: events[0], lane: events[0].meter, events })),
      )
      return letters
    },
    async discard(sql, ids, nowMs) {
      const letters = await named(sql, ids)
      if (letters.length === 0) return 0
      await takeOut(sql, letters, nowMs)
      const credits = letters.map((letter) => ({ ...letter, count: 1 }))
      await books.book(sql, 'discarded', credits, nowMs)
      return letters.length
    },
  }
}
