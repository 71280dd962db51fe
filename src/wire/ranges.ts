import type { Range } from './contract.ts'

/**
 * Adds `[from, to]` to a sorted list of disjoint, non-adjacent ranges and says which numbers were new.
 * Pure: the given list is not changed.
 *
 * @example addRange([[0, 4]], 3, 6) // { ranges: [[0, 6]], added: [[5, 6]] }
 */
export function addRange(ranges: readonly Range[], from: number, to: number): { ranges: Range[]; added: Range[] } {
  const first = firstEndingAt(ranges, from - 1)
  const added: Range[] = []
  let low = from
  let high = to
  let next = from
  let last = first
  for (; last < ranges.length; last++) {
    const [start, end] = ranges[last] as Range
    if (start > to + 1) break
    if (start > next) added.push([next, Math.min(start - 1, to)])
    next = Math.max(next, end + 1)
    low = Math.min(low, start)
    high = Math.max(high, end)
  }
  if (next <= to) added.push([next, to])
  // One copy: a hostile stream's list is long, and is added to a thousand times in one batch.
  const joined = ranges.slice()
  joined.splice(first, last - first, [low, high])
  return { ranges: joined, added }
}

/** Index of the first range whose end is at or above `seq`; the list's length if there is none. */
function firstEndingAt(ranges: readonly Range[], seq: number): number {
  let low = 0
  let high = ranges.length
  while (low < high) {
    const middle = (low + high) >> 1
    if ((ranges[middle] as Range)[1] < seq) low = middle + 1
    else high = middle
  }
  return low
}

/** Whether `seq` lies in one of the ranges (sorted, disjoint). */
export function covers(ranges: readonly Range[], seq: number): boolean {
  let low = 0
  let high = ranges.length - 1
  while (low <= high) {
    const middle = (low + high) >> 1
    const [start, end] = ranges[middle] as Range
    if (seq < start) high = middle - 1
    else if (seq > end) low = middle + 1
    else return true
  }
  return false
}

/** Whether every number of `[from, to]` lies in the ranges. */
export function coversAll(ranges: readonly Range[], from: number, to: number): boolean {
  return ranges.some(([start, end]) => start <= from && to <= end)
}

/** How many numbers the ranges hold. */
export function rangeCount(ranges: readonly Range[]): number {
  let total = 0
  for (const [start, end] of ranges) total += end - start + 1
  return total
}
