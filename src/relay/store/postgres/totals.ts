import type { LedgerTotals } from '../contract.ts'
import { quoted, type Sql } from './sql.ts'

const COUNTS = [
  ...(['streams', 'recorded', 'received', 'declared', 'rejected', 'forwarded', 'dead', 'discarded'] as const),
  ...(['deduplicated', 'on_hold', 'missing'] as const),
] as const

export type TotalsChange = { readonly [K in (typeof COUNTS)[number]]?: number }

/**
 * The shard of counters that a transaction adds to: no two transactions at a time have the same backend, so they wait
 * for one another only where 64 are too few.
 */
export const SHARD = '(pg_backend_pid() & 63)'

/** Adds to the running totals. The ledger may have millions of rows: asking for their sum must cost nothing. */
export function addTotals(sql: Sql, schema: string, change: TotalsChange): Promise<unknown> {
  const names = COUNTS.filter((name) => (change[name] ?? 0) !== 0)
  if (names.length === 0) return Promise.resolve()
  const values = names.map((_, index) => `$${index + 1}::float8`)
  const sums = names.map((name) => `${name} = t.${name} + excluded.${name}`)
  return sql(
    `INSERT INTO ${quoted(schema)}.totals AS t (shard, ${names.join(', ')}) VALUES (${SHARD}, ${values.join(', ')})
    ON CONFLICT (shard) DO UPDATE SET ${sums.join(', ')}`,
    names.map((name) => change[name]),
  )
}

export async function readTotals(sql: Sql, schema: string): Promise<LedgerTotals> {
  const sums = COUNTS.map((name) => `coalesce(sum(${name}), 0) AS ${name === 'on_hold' ? 'held' : name}`)
  const [row] = await sql<LedgerTotals>(`SELECT ${sums.join(', ')} FROM ${quoted(schema)}.totals`)
  return row as LedgerTotals
}
