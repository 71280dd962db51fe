import { MetertapError } from '../../../wire/errors.ts'
import type { Database } from './database.ts'
import { MIGRATIONS } from './schema.ts'
import { hasTable, quoted, type Sql } from './sql.ts'

const LOCK_TIMEOUT_MS = 120_000

export interface Migration {
  readonly from: number
  readonly to: number
}

/**
 * Brings the schema to this code's version, in one transaction. Of many processes at once one does it and the others
 * wait; where nothing is to be done, nothing is locked and no right to change tables is needed.
 *
 * @throws MetertapError bad_option when newer code has migrated it
 */
export async function migrate(database: Database, schema: string, migrations = MIGRATIONS): Promise<Migration> {
  const before = await versionOf(database.read, schema)
  const to = migrations.length
  if (before === to) return { from: to, to }
  assertKnown(before, to)
  return database.transaction(
    async (sql) => {
      await sql('SELECT pg_advisory_xact_lock(hashtextextended($1, 0))', [`metertap migrate ${schema}`])
      const from = await versionOf(sql, schema)
      assertKnown(from, to)
      const s = quoted(schema)
      if (from === 0) {
        const found = await sql('SELECT 1 FROM pg_catalog.pg_namespace WHERE nspname = $1', [schema])
        if (found.length === 0) await sql(`CREATE SCHEMA ${s}`)
        await sql(`CREATE TABLE ${s}.version (one int2 PRIMARY KEY CHECK (one = 1), version int4 NOT NULL)`)
        await sql(`INSERT INTO ${s}.version VALUES (1, 0)`)
      }
      for (const migration of migrations.slice(from)) await sql(migration.replaceAll(':s', s))
      await sql(`UPDATE ${s}.version SET version = $1`, [to])
      return { from, to }
    },
    { lockTimeoutMs: LOCK_TIMEOUT_MS, statementTimeoutMs: LOCK_TIMEOUT_MS },
  )
}

/** 0: there is nothing yet. */
export async function versionOf(sql: Sql, schema: string): Promise<number> {
  if (!(await hasTable(sql, schema, 'version'))) return 0
  const [row] = await sql<{ version: number }>(`SELECT version FROM ${quoted(schema)}.version`)
  return row?.version ?? 0
}

function assertKnown(version: number, known: number): void {
  if (version <= known) return
  const message = 'The database was migrated by a newer metertap: run that version, or restore an older copy.'
  throw new MetertapError('bad_option', message, { version, known })
}
