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
