import type { TokenResult, TokenSource } from '../forward/token-source.ts'
import type { GateFace } from './contract.ts'

/** The gate renews its token five minutes early, so that one this old is still good. */
const TOKEN_LIFE_MS = 30_000

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
