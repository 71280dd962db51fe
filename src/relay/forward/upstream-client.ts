import type { ZuoraOptions } from '../contract.ts'
import type { AskUpstream, Timer } from './contract.ts'
import type { HttpDeps } from './http-call.ts'
import { createTokenSource } from './token-source.ts'
import { createZuora } from './zuora.ts'

export interface UpstreamClientOptions {
  readonly upstream: ZuoraOptions
  readonly clock: () => number
  readonly fetch: typeof globalThis.fetch
  /** Default: setTimeout. */
  readonly timer?: Timer
}

export const DEFAULT_TIMEOUT_MS = 30_000
const UNLIMITED = { spend: () => {}, hold: () => {} }

/**
 * Makes the function that asks the upstream's other endpoints, with a token of its own: it neither waits for the
 * forwarder nor holds it up.
 *
 * @example const ask = createUpstreamClient({ upstream, clock: Date.now, fetch })
 */
export function createUpstreamClient({ upstream, clock, fetch, timer = setTimer }: UpstreamClientOptions): AskUpstream {
  const timeoutMs = upstream.timeoutMs ?? DEFAULT_TIMEOUT_MS
  const http: HttpDeps = { fetch, timer, timeoutMs, stopped: new AbortController().signal }
  const restBase = upstream.restBase.replace(/\/+$/, '')
  const tokens = createTokenSource({ ...upstream, restBase, clock, ...http })
  return createZuora({ options: upstream, tokens, budget: UNLIMITED, clock, ...http }).ask
}

export function setTimer(callback: () => void, delayMs: number): () => void {
  const timeout = setTimeout(callback, delayMs)
  return () => clearTimeout(timeout)
}
