import type { Timer } from '../forward/contract.ts'
import type { TokenResult, TokenSource } from '../forward/token-source.ts'
import type { GateFace } from './contract.ts'

/** The gate renews its token five minutes early, so that one this old is still good. */
const TOKEN_LIFE_MS = 30_000
/** To the gate and back. */
const MAX_HOP_MS = 3_000

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

/**
 * How long the gate may be silent: it may be waiting for the upstream's token itself. A step that asks it for two has
 * still ended when its delivery's lease does.
 */
export function gatePatienceMsOf(timeoutMs: number): number {
  return timeoutMs + Math.min(timeoutMs / 4, MAX_HOP_MS)
}

/** A gate that fails where the other is silent: a lane that waited for ever would never be tried again. */
export function createPatientGate(gate: GateFace, timer: Timer, patienceMs: number): GateFace {
  const inTime = <T>(answer: Promise<T>): Promise<T> =>
    new Promise((resolve, reject) => {
      const cancel = timer(() => reject(new Error(`The gate is silent for ${patienceMs} ms.`)), patienceMs)
      answer.then(resolve, reject).finally(cancel)
    })
  return {
    token: () => inTime(gate.token()),
    discard: (token) => inTime(gate.discard(token)),
    take: (want) => inTime(gate.take(want)),
    hold: (ms) => inTime(gate.hold(ms)),
  }
}
