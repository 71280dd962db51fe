import type { Database } from './database.ts'
import { hasTable, quoted, type Sql } from './sql.ts'

/** A table in parts, each for one day (days since 1970, UTC). */
export interface Partitions {
  /** Makes the parts of these days unless they are there. */
  ensure(days: Iterable<number>): Promise<void>
  /** Drops at most `most` parts of days before `beforeDay`, the oldest first, that `mayDrop` (default: all). */
  drop(beforeDay: number, most: number, rule?: 'empty'): Promise<void>
  /** What is believed to be there is asked for again: another process may have dropped a part. */
  forget(): void
}

interface PartitionOptions {
  readonly database: Database
  readonly schema: string
  readonly table: 'chunks' | 'hours' | 'keys'
  /** How many values of the table's key a day has. */
  readonly perDay: number
}

/** A part is locked while it is dropped; whoever works comes first, and it is tried again another day. */
const LOCK_TIMEOUT_MS = 2_000
const LAST_DAY = 32_767

export function createPartitions({ database, schema, table, perDay }: PartitionOptions): Partitions {
  const s = quoted(schema)
  const known = new Set<number>()

  async function make(sql: Sql, day: number): Promise<void> {
    const name = `${s}.${quoted(nameOf(table, day))}`
    if (await hasTable(sql, schema, nameOf(table, day))) return
    // Attached, not made in place: the whole table would be locked for that.
    await sql(`CREATE TABLE ${name} (LIKE ${s}.${table} INCLUDING DEFAULTS INCLUDING CONSTRAINTS)`)
    const bounds = `FROM (${day * perDay}) TO (${(day + 1) * perDay})`
    await sql(`ALTER TABLE ${s}.${table} ATTACH PARTITION ${name} FOR VALUES ${bounds}`)
  }

  /** One process at a time makes and drops parts. */
  function alone<T>(work: (sql: Sql) => Promise<T>): Promise<T> {
    return database.transaction(async (sql) => {
      await sql('SELECT pg_advisory_xact_lock(hashtextextended($1, 0))', [`metertap ${table} ${schema}`])
      return work(sql)
    })
  }

  async function dropOne(day: number, rule: 'empty' | undefined): Promise<void> {
    const name = `${s}.${quoted(nameOf(table, day))}`
    await database.transaction(
      async (sql) => {
        await sql('SELECT pg_advisory_xact_lock(hashtextextended($1, 0))', [`metertap ${table} ${schema}`])
        if (!(await hasTable(sql, schema, nameOf(table, day)))) return
        await sql(`LOCK TABLE ${s}.${table} IN ACCESS EXCLUSIVE MODE`)
        const [row] = rule === 'empty' ? await sql(`SELECT 1 FROM ${name} LIMIT 1`) : []
        if (!row) await sql(`DROP TABLE ${name}`)
      },
      { lockTimeoutMs: LOCK_TIMEOUT_MS },
    )
    known.delete(day)
  }

  return {
    async ensure(days) {
      const missing = [...new Set(days)].filter((day) => !known.has(day))
      if (missing.length === 0) return
      await alone(async (sql) => {
        for (const day of missing) await make(sql, day)
      })
      for (const day of missing) known.add(day)
    },
    async drop(beforeDay, most, rule) {
      const names = await database.read<{ name: string }>(
        `SELECT c.relname AS name FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
        WHERE i.inhparent = $1::regclass`,
        [`${s}.${table}`],
      )
      const days = names.map(({ name }) => Number(name.slice(table.length + 1))).sort((a, b) => a - b)
      for (const day of days.filter((each) => each < beforeDay).slice(0, most)) {
        // Whatever keeps it from being dropped, nobody's work waits for it: another day.
        await dropOne(day, rule).catch(() => {})
      }
    },
    forget: () => known.clear(),
  }
}

/** The day of a time, within what a partition can be made for. */
export function dayOf(ms: number): number {
  return Math.min(LAST_DAY, Math.max(0, Math.floor(ms / 86_400_000)))
}

function nameOf(table: string, day: number): string {
  return `${table}_${String(day).padStart(5, '0')}`
}
