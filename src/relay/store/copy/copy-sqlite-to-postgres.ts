import type { DatabaseSync } from 'node:sqlite'
import { IDS_PER_DAY } from '../postgres/chunks.ts'
import { openDatabase } from '../postgres/database.ts'
import { cannotOpen } from '../postgres/errors.ts'
import { HOURS_PER_DAY } from '../postgres/hours.ts'
import { migrate } from '../postgres/migrate.ts'
import { createPartitions } from '../postgres/partitions.ts'
import { quoted } from '../postgres/sql.ts'
import { verifyPostgresStore } from '../postgres/verify-postgres-store.ts'
import { assertSame, type Mark, NOTE, readMark, writeMark } from './mark.ts'
import { changedMeanwhile, countRows, fingerprint, keyTables, nextRows, openSource } from './source.ts'
import { type CopiedTable, copiedTables } from './tables.ts'
import { assertEmpty, insert, moveSequence, type Target } from './target.ts'

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
