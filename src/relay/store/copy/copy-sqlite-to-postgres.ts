import { DatabaseSync } from 'node:sqlite'
import type { SqliteRow } from '../../../sqlite/contract.ts'
import { MetertapError } from '../../../wire/errors.ts'
import { IDS_PER_DAY } from '../postgres/chunks.ts'
import { type Database, openDatabase } from '../postgres/database.ts'
import { cannotOpen } from '../postgres/errors.ts'
import { HOURS_PER_DAY } from '../postgres/hours.ts'
import { migrate } from '../postgres/migrate.ts'
import { createPartitions } from '../postgres/partitions.ts'
import { quoted, type Sql } from '../postgres/sql.ts'
import { verifyPostgresStore } from '../postgres/verify-postgres-store.ts'
import { VERSION as SQLITE_VERSION } from '../sqlite/schema.ts'
import { type CopiedTable, copiedTables } from './tables.ts'

export interface CopyOptions {
  /** The SQLite store of a relay that has been stopped. */
  readonly from: string
  readonly to: { readonly url: string; readonly schema: string }
  readonly onProgress: (progress: { readonly rows: number; readonly total: number; readonly table: string }) => void
}

export interface CopyResult {
  readonly rows: number
  /** True: an earlier, interrupted copy went on. */
  readonly isResumed: boolean
  /** What does not agree at the end; empty when all is well. */
  readonly problems: readonly string[]
}

/** How far a copy has come; kept in the target, in the transaction that brought it so far. */
interface Mark {
  /** Tells whether the file is still the one that the copy began with. */
  readonly source: string
  readonly table: number
  readonly after: readonly unknown[] | null
  readonly rows: number
  readonly isDone: boolean
}

const NOTE = 'copy from sqlite'
const ROWS_AT_ONCE = 500
const MAX_BYTES_AT_ONCE = 8 * 1024 * 1024

/**
 * Moves a SQLite store into an empty PostgreSQL database, a batch of rows and the mark behind them in one transaction:
 * what was interrupted goes on where it stopped. At the end all that was copied is counted and checked.
 *
 * @throws MetertapError bad_option when the file is no store, has changed since an interrupted copy began, or the target
 * holds anything else
 */
export async function copySqliteToPostgres({ from, to, onProgress }: CopyOptions): Promise<CopyResult> {
  const source = openSource(from)
  const database = openDatabase({ url: to.url, maxConnections: 2, onIdleError: () => {} })
  try {
    await migrate(database, to.schema)
    const tables = copiedTables(keyTables(source))
    const total = tables.reduce((sum, table) => sum + countRows(source, table), 0)
    const found = await readMark(database, to.schema)
    const mark = found ?? { source: fingerprint(source), table: 0, after: null, rows: 0, isDone: false }
    if (found) assertSame(found, source)
    else await assertEmpty(database, to.schema)
    const target = { database, schema: to.schema }
    const rows = await copyAll(source, target, tables, mark, ({ rows: so, table }) =>
      onProgress({ rows: so, total, table }),
    )
    const problems = [
      ...changedMeanwhile(from, mark.source),
      ...(await compareCounts(source, target, tables)),
      ...(await verifyPostgresStore({ url: to.url, schema: to.schema })).problems,
    ]
    return { rows, isResumed: found !== undefined, problems }
  } catch (error) {
    throw cannotOpen(error)
  } finally {
    source.close()
    await database.end()
  }
}

interface Target {
  readonly database: Database
  readonly schema: string
}

async function copyAll(
  source: DatabaseSync,
  { database, schema }: Target,
  tables: readonly CopiedTable[],
  start: Mark,
  onProgress: (progress: { rows: number; table: string }) => void,
): Promise<number> {
  const partitions = {
    chunks: createPartitions({ database, schema, table: 'chunks', perDay: IDS_PER_DAY }),
    hours: createPartitions({ database, schema, table: 'hours', perDay: HOURS_PER_DAY }),
    keys: createPartitions({ database, schema, table: 'keys', perDay: 1 }),
  }
  await partitions.chunks.ensure([0])
  let mark = start
  for (let index = start.table; index < tables.length; index++) {
    const table = tables[index] as CopiedTable
    let after = index === start.table ? start.after : null
    for (;;) {
      const batch = nextRows(source, table, after)
      if (batch.length === 0) break
      const { days } = table
      if (days) await partitions[days.table].ensure(batch.map(days.of))
      after = table.key.map((column) => batch.at(-1)?.[column])
      mark = { ...mark, table: index, after, rows: mark.rows + batch.length }
      await database.transaction(async (sql) => {
        await insert(sql, schema, table, batch)
        await writeMark(sql, schema, mark)
      })
      onProgress({ rows: mark.rows, table: table.name })
    }
  }
  await database.transaction(async (sql) => {
    for (const table of ['held_chunks', 'dead_letters']) await moveSequence(sql, schema, table)
    await writeMark(sql, schema, { ...mark, table: tables.length, after: null, isDone: true })
  })
  return mark.rows
}

/** The rows behind the mark, until they are many or large. */
function nextRows(source: DatabaseSync, { select, key }: CopiedTable, after: readonly unknown[] | null): SqliteRow[] {
  const columns = key.join(', ')
  const where = after === null ? '' : `WHERE (${columns}) > (${key.map(() => '?').join(', ')})`
  const statement = source.prepare(`SELECT * FROM (${select}) ${where} ORDER BY ${columns} LIMIT ${ROWS_AT_ONCE}`)
  const rows: SqliteRow[] = []
  let bytes = 0
  for (const row of statement.iterate(...((after ?? []) as string[])) as Iterable<SqliteRow>) {
    rows.push(row)
    for (const value of Object.values(row)) {
      if (typeof value === 'string') bytes += value.length
      else if (value instanceof Uint8Array) bytes += value.byteLength
    }
    if (bytes > MAX_BYTES_AT_ONCE) break
  }
  return rows
}

async function insert(sql: Sql, schema: string, table: CopiedTable, batch: readonly SqliteRow[]): Promise<void> {
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
async function moveSequence(sql: Sql, schema: string, table: string): Promise<void> {
  const name = `${quoted(schema)}.${table}`
  await sql(`SELECT setval(pg_get_serial_sequence($1, 'id'), max(id)) FROM ${name} HAVING max(id) IS NOT NULL`, [name])
}

async function readMark({ read }: Database, schema: string): Promise<Mark | undefined> {
  const [row] = await read<{ value: string }>(`SELECT value FROM ${quoted(schema)}.notes WHERE name = $1`, [NOTE])
  return row && (JSON.parse(row.value) as Mark)
}

async function writeMark(sql: Sql, schema: string, mark: Mark): Promise<void> {
  await sql(
    `INSERT INTO ${quoted(schema)}.notes VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET value = excluded.value`,
    [NOTE, JSON.stringify(mark)],
  )
}

function assertSame(mark: Mark, source: DatabaseSync): void {
  const problem = mark.isDone
    ? 'The copy is complete: start the relays on it. For another copy give an empty database or another --schema.'
    : 'The file has changed since the copy began: drop the half-filled schema, stop the old relay and start again.'
  if (mark.isDone || mark.source !== fingerprint(source)) throw new MetertapError('bad_option', problem)
}

async function assertEmpty({ read }: Database, schema: string): Promise<void> {
  for (const table of ['streams', 'secrets', 'chunks', 'dead_letters', 'notes']) {
    const rows = await read(`SELECT 1 FROM ${quoted(schema)}.${table} LIMIT 1`)
    if (rows.length === 0) continue
    const message = 'The database is in use: a copy needs an empty one, or another --schema.'
    throw new MetertapError('bad_option', message, { table })
  }
}

/** The copy is of one moment; a relay that still runs on the file has taken what is not in it. */
function changedMeanwhile(path: string, fingerprintBefore: string): string[] {
  const now = openSource(path)
  try {
    if (fingerprint(now) === fingerprintBefore) return []
    return ['The file has changed while it was copied: stop the old relay, drop the copy and start again.']
  } finally {
    now.close()
  }
}

async function compareCounts(
  source: DatabaseSync,
  { database, schema }: Target,
  tables: readonly CopiedTable[],
): Promise<string[]> {
  const expected = new Map<string, number>()
  for (const table of tables) expected.set(table.into, (expected.get(table.into) ?? 0) + countRows(source, table))
  const problems: string[] = []
  for (const [into, count] of expected) {
    const own = into === 'notes' ? `WHERE name <> '${NOTE}'` : ''
    const [row] = await database.read<{ n: number }>(`SELECT count(*) AS n FROM ${quoted(schema)}.${into} ${own}`)
    if (row?.n !== count) problems.push(`Of ${count} rows of ${into} ${row?.n} are there.`)
  }
  return problems
}

/** Read-only, as of one moment. */
function openSource(path: string): DatabaseSync {
  const message = 'The file is no store of this version of metertap: give the path of the relay’s database.'
  let source: DatabaseSync | undefined
  try {
    source = new DatabaseSync(path, { readOnly: true })
    const version = Number(source.prepare('PRAGMA user_version').get()?.user_version)
    if (version !== SQLITE_VERSION) throw new RangeError(`version ${version} instead of ${SQLITE_VERSION}`)
    source.exec('BEGIN')
    source.prepare('SELECT 1 FROM totals').get()
    return source
  } catch (error) {
    source?.close()
    throw new MetertapError('bad_option', message, { path }, error)
  }
}

function keyTables(source: DatabaseSync): string[] {
  const rows = source.prepare(
    "SELECT name FROM sqlite_schema WHERE type = 'table' AND name GLOB 'keys_[0-9]*' ORDER BY name",
  )
  return rows.all().map(({ name }) => String(name))
}

function countRows(source: DatabaseSync, { select }: CopiedTable): number {
  return Number(source.prepare(`SELECT count(*) AS n FROM (${select})`).get()?.n)
}

/** Whatever a relay does to its store shows in one of these. */
function fingerprint(source: DatabaseSync): string {
  const totals = source.prepare('SELECT * FROM totals').get()
  const chunks = source.prepare('SELECT count(*) AS n, max(id) AS last, sum(unsettled) AS open FROM chunks').get()
  const deliveries = source.prepare('SELECT count(*) AS n, sum(attempts) AS tries FROM deliveries').get()
  return JSON.stringify([totals, chunks, deliveries])
}
