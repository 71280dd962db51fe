import type { HourFilter, HourRow } from '../contract.ts'
import type { HourChange } from '../core/outcomes.ts'
import { dayOf } from './partitions.ts'
import { columns, quoted, type Sql } from './sql.ts'

/** What happened to an account's events of one meter at a time. */
export interface HourEntry {
  readonly tenant: string
  readonly account: string
  readonly meter: string
  readonly atMs: number
  readonly change: HourChange
}

export interface Hours {
  /** Adds to the hours in which the entries lie; their days must have partitions. */
  add(sql: Sql, entries: readonly HourEntry[]): Promise<unknown>
  list(sql: Sql, filter: HourFilter): Promise<HourRow[]>
}

const HOUR_MS = 3_600_000
const DEFAULT_LIMIT = 1_000
const COUNTS = ['received', 'forwarded', 'import_failed', 'dead', 'deduplicated'] as const
/** Fewer than for totals: every account, meter and hour has its own rows. */
const HOUR_SHARD = '(pg_backend_pid() & 7)'

export const HOURS_PER_DAY = 24

/** The ledger by account, meter and hour. */
export function createHours(schema: string): Hours {
  const table = `${quoted(schema)}.hours`
  const sums = COUNTS.map((name) => `sum(${name})::int8 AS ${name}`).join(', ')
  const add = `
    INSERT INTO ${table} AS t (hour, account, meter, tenant, shard, ${COUNTS.join(', ')})
    SELECT hour, account, meter, tenant, ${HOUR_SHARD}, ${sums}
    FROM unnest($1::int8[], $2::text[], $3::text[], $4::text[], $5::int8[], $6::int8[], $7::int8[], $8::int8[],
      $9::int8[]) AS v(hour, account, meter, tenant, ${COUNTS.join(', ')})
    GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, 3, 4
    ON CONFLICT (account, hour, meter, tenant, shard)
    DO UPDATE SET ${COUNTS.map((name) => `${name} = t.${name} + excluded.${name}`).join(', ')}`

  return {
    async add(sql, entries) {
      if (entries.length === 0) return
      const given = columns(
        entries,
        ({ atMs }) => hourOf(atMs),
        ({ account }) => account,
        ({ meter }) => meter,
        ({ tenant }) => tenant,
        ({ change }) => change.received ?? 0,
        ({ change }) => change.forwarded ?? 0,
        ({ change }) => change.importFailed ?? 0,
        ({ change }) => change.dead ?? 0,
        ({ change }) => change.deduplicated ?? 0,
      )
      await sql(add, given)
    },
    async list(sql, { account, meter, fromMs = 0, untilMs = Number.MAX_SAFE_INTEGER, limit = DEFAULT_LIMIT }) {
      const conditions = ['hour >= $1', 'hour < $2']
      const given: unknown[] = [Math.ceil(fromMs / HOUR_MS), Math.ceil(untilMs / HOUR_MS), limit]
      if (account !== undefined) conditions.push(`account = $${given.push(account)}`)
      if (meter !== undefined) conditions.push(`meter = $${given.push(meter)}`)
      return sql<HourRow>(
        `SELECT tenant, account, meter, hour * ${HOUR_MS} AS "hourMs", sum(received)::int8 AS received,
          sum(forwarded)::int8 AS forwarded, sum(import_failed)::int8 AS "importFailed", sum(dead)::int8 AS dead,
          sum(deduplicated)::int8 AS deduplicated
        FROM ${table} WHERE ${conditions.join(' AND ')}
        GROUP BY hour, account, meter, tenant ORDER BY hour, account, meter, tenant LIMIT $3`,
        given,
      )
    },
  }
}

/** Times beyond what has partitions count in the first or last of them. */
function hourOf(atMs: number): number {
  const day = dayOf(atMs)
  const hour = Math.floor(atMs / HOUR_MS)
  return Math.min((day + 1) * HOURS_PER_DAY - 1, Math.max(day * HOURS_PER_DAY, hour))
}
