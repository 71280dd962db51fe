import type { CallBudget } from '../forward/call-budget.ts'
import type { TokenResult, TokenSource } from '../forward/token-source.ts'
import type { GateFace } from './contract.ts'

/** Calls fetched at a time: few, so that a hold of the gate reaches every shard soon. */
const SLICE_CALLS = 4
/** What a shard has not used by then it gives up: the budget has been charged for it. */
const SLICE_LIFE_MS = 10_000
/** The gate renews its token five minutes early, so that one this old is still good. */
const TOKEN_LIFE_MS = 30_000

/** A shard's part of the tenant's budget, fetched from the gate slice by slice. */
export function createSlicedBudget(gate: Pick<GateFace, 'take' | 'hold'>, clock: () => number): CallBudget {
  let left = 0
  let endsAtMs = 0
  return {
    async waitMs() {
      if (clock() >= endsAtMs) left = Math.min(left, 0)
      if (left > 0) return 0
      // What was spent beyond the slice (a second try after a 401) is paid now.
      const { calls, waitMs } = await gate.take(SLICE_CALLS - left)
      left += calls
      endsAtMs = clock() + SLICE_LIFE_MS
      return left > 0 ? 0 : Math.max(1, waitMs)
    },
    spend() {
      left--
    },
    hold(ms) {
      left = Math.min(left, 0)
      // A gate that cannot be told now is asked before the next call anyway, and that one fails then.
      gate.hold(ms).catch(() => {})
    },
  }
}

/** The gate's token, remembered for a moment. */
export function createGateTokens(gate: Pick<GateFace, 'token' | 'discard'>, clock: () => number): TokenSource {
  let held: { readonly result: TokenResult & { kind: 'token' }; readonly untilMs: number } | undefined
  return {
    async get() {
      if (held && clock() < held.untilMs) return held.result
      const result = await gate.token()
      held = result.kind === 'token' ? { result, untilMs: clock() + TOKEN_LIFE_MS } : undefined
      return result
    },
    async discard(token) {
      held = undefined
      await gate.discard(token)
    },
  }
}
