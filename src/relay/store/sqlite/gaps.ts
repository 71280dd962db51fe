import type { Sqlite } from '../../../sqlite/contract.ts'
import type { StreamGaps } from '../contract.ts'
import { toGaps } from '../core/gaps.ts'
import type { StreamRow } from '../core/stream-row.ts'

const DEFAULT_LIMIT = 100

/** Makes the function that lists streams of which numbers are missing, the one seen last first. */
export function createGapReader(
  db: Sqlite,
): (filter: { account?: string; stream?: string; limit?: number }) => StreamGaps[] {
  // The condition is that of the index streams_open: a ledger of millions is not read through.
  const open = db.prepare(`
    SELECT * FROM streams
    WHERE recorded > received + rejected AND (?1 IS NULL OR account = ?1)
      AND (?2 IS NULL OR stream = ?2)
    ORDER BY last_seen_ms DESC LIMIT ?3`)
  return ({ account, stream, limit = DEFAULT_LIMIT }) => {
    const rows = open.all(account ?? null, stream ?? null, limit)
    return rows.map((row) => toGaps(row as unknown as StreamRow)).filter(({ missing }) => missing > 0)
  }
}
