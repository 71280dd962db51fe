import type { CallSource } from '../store/contract.ts'
import type { CallBudget } from './call-budget.ts'

/** Calls fetched at a time: few, so that a hold reaches everybody soon where it is not asked for. */
const SLICE_CALLS = 4
/** What has not been used by then is given up: the budget has been charged for it. */
const SLICE_LIFE_MS = 10_000

/** This process's part of a budget that many share, fetched slice by slice. */
export function createSlicedBudget(
  source: CallSource,
  clock: () => number,
  sliceCalls: number = SLICE_CALLS,
): CallBudget {
  let left = 0
  let endsAtMs = 0
  return {
    async waitMs() {
      if (clock() >= endsAtMs) left = Math.min(left, 0)
      // Another process may have heard the upstream say no: a slice in hand is no leave to run into the same.
      if (left > 0) return (await source.heldMs?.()) ?? 0
      // What was spent beyond the slice (a second try after a 401) is paid now.
      const { calls, waitMs } = await source.take(sliceCalls - left)
      left += calls
      endsAtMs = clock() + SLICE_LIFE_MS
      return left > 0 ? 0 : Math.max(1, waitMs)
    },
    spend() {
      left--
    },
    hold(ms) {
      left = Math.min(left, 0)
      // A source that cannot be told now is asked before the next call anyway, and that one fails then.
      source.hold(ms).catch(() => {})
    },
  }
}
