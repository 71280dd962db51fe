import type { ZuoraOptions } from '../contract.ts'
import { createCallBudget } from '../forward/call-budget.ts'
import { CALL_LIMITS } from '../forward/call-limits.ts'
import { createTokenSource } from '../forward/token-source.ts'
import { setTimer } from '../forward/upstream-client.ts'
import type { GateFace } from './contract.ts'

export interface GateDeps {
  readonly upstream: ZuoraOptions
  readonly clock: () => number
  readonly fetch: typeof globalThis.fetch
}

const DEFAULT_TIMEOUT_MS = 30_000

/** The gate of one upstream. It keeps nothing on disk: a new one fetches a token of its own and starts a full budget. */
export function createGate({ upstream, clock, fetch }: GateDeps): GateFace {
  const http = { fetch, timer: setTimer, timeoutMs: upstream.timeoutMs ?? DEFAULT_TIMEOUT_MS }
  const restBase = upstream.restBase.replace(/\/+$/, '')
  const tokens = createTokenSource({ ...upstream, restBase, clock, ...http, stopped: new AbortController().signal })
  const budget = createCallBudget(CALL_LIMITS[upstream.environment ?? 'production'].calls, clock)
  return {
    token: () => tokens.get(),
    async discard(token) {
      await tokens.discard(token)
    },
    async take(want) {
      let calls = 0
      while (calls < want && budget.waitMs() === 0) {
        budget.spend()
        calls++
      }
      return { calls, waitMs: budget.waitMs() }
    },
    async hold(ms) {
      budget.hold(ms)
    },
  }
}
