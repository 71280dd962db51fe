import { v7 } from 'uuid'
import { createGzip } from '../wire/gzip.ts'
import type { Runtime } from './contract.ts'

const encoder = /* @__PURE__ */ new TextEncoder()

/**
 * The globals of a Cloudflare Worker, as the agent uses them. Reads them when called, never at import. Its timers live
 * as long as the request, or the Durable Object, that set them.
 */
export function workerRuntime(fetch?: typeof globalThis.fetch): Runtime {
  return {
    now: () => Date.now(),
    monotonic: () => performance.now(),
    random: () => Math.random(),
    newStreamId: () => v7(),
    setTimer(callback, delayMs) {
      const timer = setTimeout(callback, Math.min(delayMs, 2_147_483_647))
      return () => clearTimeout(timer)
    },
    queueMicrotask: (callback) => globalThis.queueMicrotask(callback),
    fetch: fetch ?? ((input, init) => globalThis.fetch(input, init)),
    fetchLater: undefined,
    gzip: createGzip(CompressionStream, Response),
    indexedDB: undefined,
    storage: undefined,
    utf8Length: (text) => encoder.encode(text).length,
    online: () => true,
    prerendering: () => false,
    onLifecycle: () => () => {},
    locks: undefined,
    openChannel: () => undefined,
    reportError: (error) => globalThis.reportError?.(error),
  }
}
