import type { SqliteRow } from '../../../sqlite/contract.ts'
import { MetertapError } from '../../../wire/errors.ts'
import type { Database } from '../postgres/database.ts'
import { quoted, type Sql } from '../postgres/sql.ts'
import type { CopiedTable } from './tables.ts'

export interface Target {
  readonly database: Database
  readonly schema: string
}

export async function assertEmpty({ read }: Database, schema: string): Promise<void> {
  for (const table of ['streams', 'secrets', 'chunks', 'dead_letters', 'notes']) {
    const rows = await read(`SELECT 1 FROM ${quoted(schema)}.${table} LIMIT 1`)
    if (rows.length === 0) continue
    const message = 'The database is in use: a copy needs an empty one, or another --schema.'
    throw new MetertapError('bad_option', message, { table })
  }
}

export async function insert(sql: Sql, schema: string, table: CopiedTable, batch: readonly SqliteRow[]): Promise<void> {
  const { into, columns, convert = (row: SqliteRow) => row } = table
  const names = Object.keys(columns)
  const list = names.map(quoted).join(', ')
  const types = names.map((name) => `${quoted(name)} ${columns[name]}`).join(', ')
  const rows = batch.map((row) => {
    const converted = convert(row)
    return Object.fromEntries(names.map((name) => [name, converted[name]]))
  })
  await sql(
    `INSERT INTO ${quoted(schema)}.${into} (${list}) OVERRIDING SYSTEM VALUE
    SELECT ${list} FROM json_to_recordset($1::json) AS v(${types})`,
    [JSON.stringify(rows)],
  )
}

/** What comes later gets ids above those that were copied. */
export async function moveSequence(sql: Sql, schema: string, table: string): Promise<void> {
  const name = `${quoted(schema)}.${table}`
  await sql(`SELECT setval(pg_get_serial_sequence($1, 'id'), max(id)) FROM ${name} HAVING max(id) IS NOT NULL`, [name])
}
