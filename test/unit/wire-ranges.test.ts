import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Range } from '../../src/wire/contract.ts'
import { addRange, covers, coversAll, rangeCount } from '../../src/wire/ranges.ts'

const TOP = 60
const anyRange = fc.tuple(fc.nat(TOP), fc.nat(12)).map(([from, length]): Range => [from, from + length])

function numbers(ranges: readonly Range[]): number[] {
  return ranges.flatMap(([from, to]) => Array.from({ length: to - from + 1 }, (_, i) => from + i))
}

/** The same numbers as a sorted list of disjoint, non-adjacent ranges, by brute force. */
function normal(set: ReadonlySet<number>): Range[] {
  const ranges: Range[] = []
  for (const value of [...set].sort((a, b) => a - b)) {
    const last = ranges.at(-1)
    if (last && last[1] === value - 1) last[1] = value
    else ranges.push([value, value])
  }
  return ranges
}

describe('ranges, against a Set', () => {
  test('addRange joins, keeps the normal form, and tells exactly what is new', () => {
    fc.assert(
      fc.property(fc.array(anyRange, { maxLength: 30 }), (adds) => {
        const model = new Set<number>()
        let ranges: Range[] = []
        for (const [from, to] of adds) {
          const before = structuredClone(ranges)
          const fresh = numbers([[from, to]]).filter((value) => !model.has(value))
          const result = addRange(ranges, from, to)
          for (const value of fresh) model.add(value)
          expect(ranges).toEqual(before)
          expect(result.ranges).toEqual(normal(model))
          expect(numbers(result.added)).toEqual(fresh)
          expect(normal(new Set(fresh))).toEqual(result.added)
          ranges = result.ranges
        }
        expect(rangeCount(ranges)).toBe(model.size)
      }),
    )
  })

  test('covers and coversAll agree with the Set', () => {
    fc.assert(
      fc.property(fc.uniqueArray(fc.nat(TOP)), anyRange, (values, [from, to]) => {
        const set = new Set(values)
        const ranges = normal(set)
        for (let seq = -1; seq <= TOP + 1; seq++) expect(covers(ranges, seq)).toBe(set.has(seq))
        expect(coversAll(ranges, from, to)).toBe(numbers([[from, to]]).every((value) => set.has(value)))
      }),
    )
  })

  test('the empty list covers nothing', () => {
    expect(covers([], 0)).toBe(false)
    expect(coversAll([], 0, 0)).toBe(false)
    expect(rangeCount([])).toBe(0)
    expect(addRange([], 3, 3)).toEqual({ ranges: [[3, 3]], added: [[3, 3]] })
  })
})
