import type { DatabaseSync } from 'node:sqlite'
import { MetertapError } from '../../../wire/errors.ts'
import type { Database } from '../postgres/database.ts'
import { quoted, type Sql } from '../postgres/sql.ts'
import { fingerprint } from './source.ts'

/** The note that holds it. */
export const NOTE = 'copy from sqlite'

/** How far a copy has come; kept in the target, in the transaction that brought it so far. */
export interface Mark {
  /** Tells whether the file is still the one that the copy began with. */
  readonly source: string
  readonly table: number
  readonly after: readonly unknown[] | null
  readonly rows: number
  readonly isDone: boolean
}

export async function readMark({ read }: Database, schema: string): Promise<Mark | undefined> {
  const [row] = await read<{ value: string }>(`SELECT value FROM ${quoted(schema)}.notes WHERE name = $1`, [NOTE])
  return row && (JSON.parse(row.value) as Mark)
}

export async function writeMark(sql: Sql, schema: string, mark: Mark): Promise<void> {
  await sql(
    `INSERT INTO ${quoted(schema)}.notes VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET value = excluded.value`,
    [NOTE, JSON.stringify(mark)],
  )
}

export function assertSame(mark: Mark, source: DatabaseSync): void {
  const problem = mark.isDone
    ? 'The copy is complete: start the relays on it. For another copy give an empty database or another --schema.'
    : 'The file has changed since the copy began: drop the half-filled schema, stop the old relay and start again.'
  if (mark.isDone || mark.source !== fingerprint(source)) throw new MetertapError('bad_option', problem)
}
