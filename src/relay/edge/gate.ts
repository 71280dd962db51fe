import type { ZuoraOptions } from '../contract.ts'
import { createCallBudget } from '../forward/call-budget.ts'
import { CALL_LIMITS } from '../forward/call-limits.ts'
import type { AskUpstream } from '../forward/contract.ts'
import { createTokenSource } from '../forward/token-source.ts'
import { DEFAULT_TIMEOUT_MS, setTimer } from '../forward/upstream-client.ts'
import { createZuora } from '../forward/zuora.ts'
import type { GateFace } from './contract.ts'

export interface GateDeps {
  readonly upstream: ZuoraOptions
  readonly clock: () => number
  readonly fetch: typeof globalThis.fetch
}

export interface Gate extends GateFace {
  /** Asks the upstream's other endpoints, by the same token and on the same budget. */
  readonly ask: AskUpstream
}

/** The gate of one upstream. It keeps nothing on disk: a new one fetches a token of its own and starts a full budget. */
export function createGate({ upstream, clock, fetch }: GateDeps): Gate {
  const stopped = new AbortController().signal
  const http = { fetch, timer: setTimer, timeoutMs: upstream.timeoutMs ?? DEFAULT_TIMEOUT_MS, stopped }
  const restBase = upstream.restBase.replace(/\/+$/, '')
  const tokens = createTokenSource({ ...upstream, restBase, clock, ...http })
  const budget = createCallBudget(CALL_LIMITS[upstream.environment ?? 'production'].calls, clock)
  const { ask } = createZuora({ options: upstream, tokens, budget, clock, ...http })
  return {
    ask,
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
