import { expect, test } from 'vitest'
import { STREAM_ID } from '../../src/meter/contract.ts'
import { uuidV7 } from '../../src/runtime/uuid-v7.ts'

test('are streams’ ids that sort by time, and no two are the same', () => {
  const times = [0, 1, 1_700_000_000_000, 1_700_000_000_001, 2 ** 48 - 1]
  const ids = times.map(uuidV7)
  for (const [at, id] of ids.entries()) {
    expect(id).toMatch(STREAM_ID)
    expect(id[14]).toBe('7')
    expect(Number.parseInt(id.slice(0, 13).replace('-', ''), 16)).toBe(times[at])
  }
  expect([...ids].sort()).toEqual(ids)
  expect(new Set(Array.from({ length: 10_000 }, () => uuidV7(1))).size).toBe(10_000)
})

test('all of their random bits vary, but for version and variant', () => {
  const many = Array.from({ length: 2_000 }, () => uuidV7(0).replaceAll('-', '').slice(12))
  const seen = Array.from({ length: 20 }, (_, digit) => new Set(many.map((id) => id[digit])).size)
  expect(seen).toEqual([1, 16, 16, 16, 4, ...Array<number>(15).fill(16)])
})
