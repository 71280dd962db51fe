import type { CallBucket, CallSource } from '../contract.ts'
import { quoted, type Sql } from './sql.ts'

interface BucketRow {
  readonly name: string
  readonly level: number
  /** Since it was filled last, by the database's clock: the relays' own may differ. */
  readonly passedMs: number
  readonly heldMs: number
}

type Work = <T>(work: (sql: Sql) => Promise<T>) => Promise<T>

const HELD_MS =
  'greatest(0, extract(epoch FROM coalesce(held_until, clock_timestamp()) - clock_timestamp())::float8 * 1000)'

/** A budget of calls in the database: a slice of many calls is drawn at a time, so that no call needs a write. */
export function createSharedCalls(
  schema: string,
  { read, write }: { readonly read: Work; readonly write: Work },
  buckets: readonly CallBucket[],
): CallSource {
  const table = `${quoted(schema)}.budgets`
  const names = buckets.map(({ name }) => name)
  const make = `
    INSERT INTO ${table} (name, level, filled_at) SELECT name, level, clock_timestamp()
    FROM unnest($1::text[], $2::float8[]) AS v(name, level) ORDER BY name ON CONFLICT DO NOTHING`
  const find = `
    SELECT name, level, greatest(0, extract(epoch FROM clock_timestamp() - filled_at)::float8 * 1000) AS "passedMs",
      ${HELD_MS} AS "heldMs"
    FROM ${table} WHERE name = ANY($1::text[]) ORDER BY name FOR UPDATE`
  const draw = `
    UPDATE ${table} t SET level = v.level, filled_at = clock_timestamp()
    FROM unnest($1::text[], $2::float8[]) AS v(name, level) WHERE t.name = v.name`

  async function lock(sql: Sql): Promise<BucketRow[]> {
    const rows = await sql<BucketRow>(find, [names])
    if (rows.length === names.length) return rows
    await sql(make, [names, buckets.map(({ capacity }) => capacity)])
    return sql<BucketRow>(find, [names])
  }

  return {
    take: (want) =>
      write(async (sql) => {
        const rows = await lock(sql)
        const heldMs = Math.max(...rows.map((row) => row.heldMs))
        if (heldMs > 0) return { calls: 0, waitMs: Math.ceil(heldMs) }
        const full = rows.map((row) => {
          const { capacity, perMs } = buckets.find(({ name }) => name === row.name) as CallBucket
          return { name: row.name, perMs, level: Math.min(capacity, row.level + row.passedMs * perMs) }
        })
        const calls = Math.max(0, Math.min(want, ...full.map(({ level }) => Math.floor(level))))
        const left = full.map(({ level }) => level - calls)
        await sql(draw, [full.map(({ name }) => name), left])
        const waits = full.map(({ perMs }, index) => Math.max(0, 1 - (left[index] as number)) / perMs)
        return { calls, waitMs: Math.ceil(Math.max(...waits)) }
      }),
    hold: (ms) =>
      write(async (sql) => {
        await lock(sql)
        await sql(
          `UPDATE ${table} SET held_until = greatest(held_until, clock_timestamp() + $2 * interval '1 millisecond')
          WHERE name = ANY($1::text[])`,
          [names, ms],
        )
      }),
    async heldMs() {
      const find = `SELECT max(${HELD_MS}) AS ms FROM ${table} WHERE name = ANY($1::text[])`
      const [row] = await read((sql) => sql<{ ms: number | null }>(find, [names]))
      return Math.ceil(row?.ms ?? 0)
    },
  }
}
