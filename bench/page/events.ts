import { makeUsageLines } from '../../test/support/usage-lines.ts'
import type { BenchEvent } from './contract.ts'

/** Events with the numbers first, first + 1 …: the same ones everywhere, but happening now. */
export function makeEvents(first: number, count: number): BenchEvent[] {
  const nowMs = Date.now()
  return makeUsageLines(count, first + 1).map(({ at, ...line }, index) => ({
    atMs: nowMs,
    data: { n: first + index, ...line },
  }))
}
