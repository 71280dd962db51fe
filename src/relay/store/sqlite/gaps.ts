import type { Sqlite } from '../../../sqlite/contract.ts'
import type { Range } from '../../../wire/contract.ts'
import { addRange } from '../../../wire/ranges.ts'
import type { StreamGaps } from '../contract.ts'
import { balance } from './stream-state.ts'
import { type StreamRow, toState } from './streams.ts'

const DEFAULT_LIMIT = 100
/** Enough to see the pattern; `missing` counts all. */
const MAX_RANGES = 100

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

function toGaps(row: StreamRow): StreamGaps {
  const state = toState(row)
  const { tenant, account, device, stream, recorded, lastSeenMs } = state
  const known = state.refusedRanges.reduce(
    (ranges: readonly Range[], [from, to]) => addRange(ranges, from, to).ranges,
    state.held,
  )
  const { missing, declared } = balance(state)
  return { tenant, account, device, stream, missing, declared, open: between(known, recorded), lastSeenMs }
}

/** The numbers from 0 to recorded − 1 that are in none of the ranges. */
function between(known: readonly Range[], recorded: number): Range[] {
  const gaps: Range[] = []
  let next = 0
  for (const [from, to] of known) {
    if (gaps.length === MAX_RANGES) return gaps
    if (from > next) gaps.push([next, from - 1])
    next = to + 1
  }
  if (next < recorded && gaps.length < MAX_RANGES) gaps.push([next, recorded - 1])
  return gaps
}
