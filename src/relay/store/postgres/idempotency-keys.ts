import { createHash } from 'node:crypto'
import type { Database } from './database.ts'
import { createPartitions } from './partitions.ts'
import { quoted, type Sql } from './sql.ts'

export interface IdempotencyKeys {
  /** Makes ready for keys that come on this day. */
  prepare(day: number): Promise<void>
  /** Enters the digests; gives back those that were not known. 'not ready': prepare() first, then everything again. */
  use(sql: Sql, digests: readonly string[], day: number): Promise<ReadonlySet<string> | 'not ready'>
}

/** A clock that is far ahead for a while must not cost the whole memory. */
const MAX_DROPS_PER_DAY = 2

/**
 * Keys that callers gave their events, by the day they came in; a day past the window is dropped whole.
 *
 * Two processes must not enter one key under two days, since neither would see the other's: there is one open day for
 * all, and whoever enters keys holds a shared lock against its change. A day earlier than the open one counts as it, so
 * that clocks which differ around midnight do not turn it to and fro.
 */
export function createIdempotencyKeys(database: Database, schema: string, windowDays: number): IdempotencyKeys {
  const s = quoted(schema)
  const lockName = `metertap key day ${schema}`
  const partitions = createPartitions({ database, schema, table: 'keys', perDay: 1 })
  const use = `
    WITH given AS (SELECT digest FROM unnest($1::uuid[]) AS g(digest) ORDER BY digest),
    seen AS MATERIALIZED (
      SELECT k.digest FROM ${s}.keys k WHERE k.digest = ANY($1::uuid[]) AND k.day >= $2 AND k.day <> $3
    )
    INSERT INTO ${s}.keys (digest, day)
    SELECT digest, $3 FROM given WHERE digest NOT IN (SELECT digest FROM seen)
    ON CONFLICT DO NOTHING RETURNING digest`
  let openDay: number | undefined

  function isServed(day: number, open: number | undefined): boolean {
    return open !== undefined && (open === day || open === day + 1)
  }

  async function readDay(sql: Sql): Promise<number> {
    const [row] = await sql<{ day: number }>(`SELECT day FROM ${s}.key_day`)
    return row?.day ?? -1
  }

  return {
    async prepare(day) {
      if (isServed(day, openDay)) return
      let isNew = false
      if (!isServed(day, await readDay(database.read))) {
        await partitions.ensure([day, day + 1])
        isNew = await database.transaction(async (sql) => {
          await sql('SELECT pg_advisory_xact_lock(hashtextextended($1, 0))', [lockName])
          if (isServed(day, await readDay(sql))) return false
          await sql(`UPDATE ${s}.key_day SET day = $1`, [day])
          return true
        })
      }
      openDay = await readDay(database.read)
      if (isNew) await partitions.drop(openDay - windowDays, MAX_DROPS_PER_DAY)
    },
    async use(sql, digests, day) {
      const [, [row]] = await Promise.all([
        sql('SELECT pg_advisory_xact_lock_shared(hashtextextended($1, 0))', [lockName]),
        // A statement of its own: it sees what was written until the lock was given.
        sql<{ day: number }>(`SELECT day FROM ${s}.key_day`),
      ])
      openDay = row?.day
      if (openDay === undefined || !isServed(day, openDay)) return 'not ready'
      const fresh = await sql<{ digest: string }>(use, [digests, openDay - windowDays, openDay])
      return new Set(fresh.map(({ digest }) => digest))
    },
  }
}

/** A key of an account's, as it is stored: 128 bits of its SHA-256, in the form of a UUID. */
export function digestOf({ tenant, account }: { tenant: string; account: string }, key: string): string {
  const hex = createHash('sha256')
    .update(JSON.stringify([tenant, account, key]))
    .digest('hex')
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20, 32)].join('-')
}
