import type { Range } from '../../../wire/contract.ts'

/** Takes `[from, to]` out of sorted, disjoint ranges. Pure. @example subtractRange([[0, 9]], 3, 4) // [[0, 2], [5, 9]] */
export function subtractRange(ranges: readonly Range[], from: number, to: number): Range[] {
  return ranges.flatMap(([start, end]): Range[] => {
    if (end < from || start > to) return [[start, end]]
    const left: Range[] = []
    if (start < from) left.push([start, from - 1])
    if (end > to) left.push([to + 1, end])
    return left
  })
}

/** Whether `[from, to]` overlaps or adjoins one of the sorted ranges, so that adding it makes no further range. */
export function touches(ranges: readonly Range[], from: number, to: number): boolean {
  let low = 0
  let high = ranges.length
  while (low < high) {
    const middle = (low + high) >> 1
    if ((ranges[middle] as Range)[1] < from - 1) low = middle + 1
    else high = middle
  }
  const next = ranges[low]
  return next !== undefined && next[0] <= to + 1
}
