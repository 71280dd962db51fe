import { DatabaseSync } from 'node:sqlite'
import type { SqliteRow } from '../../../sqlite/contract.ts'
import { MetertapError } from '../../../wire/errors.ts'
import { VERSION as SQLITE_VERSION } from '../sqlite/schema.ts'
import type { CopiedTable } from './tables.ts'

const ROWS_AT_ONCE = 500
const MAX_BYTES_AT_ONCE = 8 * 1024 * 1024

/** Read-only, as of one moment. */
export function openSource(path: string): DatabaseSync {
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

export function keyTables(source: DatabaseSync): string[] {
  const rows = source.prepare(
    "SELECT name FROM sqlite_schema WHERE type = 'table' AND name GLOB 'keys_[0-9]*' ORDER BY name",
  )
  return rows.all().map(({ name }) => String(name))
}

export function countRows(source: DatabaseSync, { select }: CopiedTable): number {
  return Number(source.prepare(`SELECT count(*) AS n FROM (${select})`).get()?.n)
}

/** Whatever a relay does to its store shows in one of these. */
export function fingerprint(source: DatabaseSync): string {
  const totals = source.prepare('SELECT * FROM totals').get()
  const chunks = source.prepare('SELECT count(*) AS n, max(id) AS last, sum(unsettled) AS open FROM chunks').get()
  const deliveries = source.prepare('SELECT count(*) AS n, sum(attempts) AS tries FROM deliveries').get()
  return JSON.stringify([totals, chunks, deliveries])
}

/** The rows behind the mark, until they are many or large. */
export function nextRows(
  source: DatabaseSync,
  { select, key }: CopiedTable,
  after: readonly unknown[] | null,
): SqliteRow[] {
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

/** The copy is of one moment; a relay that still runs on the file has taken what is not in it. */
export function changedMeanwhile(path: string, fingerprintBefore: string): string[] {
  const now = openSource(path)
  try {
    if (fingerprint(now) === fingerprintBefore) return []
    return ['The file has changed while it was copied: stop the old relay, drop the copy and start again.']
  } finally {
    now.close()
  }
}
