import type { Range } from '../../../wire/contract.ts'
import { addRange } from '../../../wire/ranges.ts'
import type { StreamGaps } from '../contract.ts'
import { type StreamRow, toState } from './stream-row.ts'
import { balance } from './stream-state.ts'

/** Enough to see the pattern; `missing` counts all. */
const MAX_RANGES = 100

/** Which of a stream's numbers are not accounted for. Pure. */
export function toGaps(row: StreamRow): StreamGaps {
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
