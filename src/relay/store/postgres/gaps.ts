import type { StreamGaps } from '../contract.ts'
import { toGaps } from '../core/gaps.ts'
import type { StreamRow } from '../core/stream-row.ts'
import { quoted, type Sql } from './sql.ts'

const DEFAULT_LIMIT = 100

/** Streams of which numbers are missing, the one seen last first. */
export async function readGaps(
  sql: Sql,
  schema: string,
  { account, stream, limit = DEFAULT_LIMIT }: { account?: string; stream?: string; limit?: number },
): Promise<StreamGaps[]> {
  // The condition is that of the index streams_open: a ledger of millions is not read through.
  const rows = await sql<StreamRow>(
    `SELECT * FROM ${quoted(schema)}.streams
    WHERE is_open AND ($1::text IS NULL OR account = $1) AND ($2::text IS NULL OR stream = $2)
    ORDER BY last_seen_ms DESC LIMIT $3`,
    [account ?? null, stream ?? null, limit],
  )
  return rows.map(toGaps).filter(({ missing }) => missing > 0)
}
