import { setTimeout as delay } from 'node:timers/promises'
import type { TestPostgres } from '../../../test/support/postgres.ts'

/** Sessions tell the statistics what they did when they have been idle for a while. */
const STATISTICS_LAG_MS = 1_500

/** Bytes written ahead and transactions committed so far, all sessions together. */
export async function readWal(database: TestPostgres): Promise<{ walBytes: number; transactions: number }> {
  await delay(STATISTICS_LAG_MS)
  const [row] = await database.query<{ bytes: string; n: string }>(
    `SELECT pg_current_wal_insert_lsn() - '0/0'::pg_lsn AS bytes,
      (SELECT xact_commit FROM pg_stat_database WHERE datname = current_database()) AS n`,
  )
  return { walBytes: Number(row?.bytes), transactions: Number(row?.n) }
}
