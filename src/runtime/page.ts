import type { LifecycleEvent, Runtime } from './contract.ts'
import { uuidV7 } from './uuid-v7.ts'

const encoder = /* @__PURE__ */ new TextEncoder()

function onLifecycle(listener: (event: LifecycleEvent) => void): () => void {
  const stop = new AbortController()
  const on = (target: EventTarget | undefined, type: string, event: () => LifecycleEvent) =>
    target?.addEventListener(type, () => listener(event()), { signal: stop.signal })
  const page = globalThis.document
  on(page, 'prerenderingchange', () => 'activated')
  // The Page Lifecycle's own events, fired on document where they exist.
  for (const type of ['freeze', 'resume'] as const) on(page, type, () => type)
  on(page, 'visibilitychange', () => (page.visibilityState === 'hidden' ? 'hidden' : 'visible'))
  // On window: pagehide never fires on document. No unload listener: it would cost the page its bfcache place.
  for (const type of ['pagehide', 'pageshow', 'online', 'offline'] as const) on(globalThis, type, () => type)
  return () => stop.abort()
}

/** Reading the property alone throws where storage is blocked; workers have none. */
function localStorageOf(): Storage | undefined {
  try {
    return globalThis.localStorage
  } catch {
    return undefined
  }
}

/** browserRuntime() but for what only sending needs. */
export function pageRuntime(): Runtime {
  return {
    now: () => Date.now(),
    monotonic: () => performance.now(),
    random: () => Math.random(),
    newStreamId: () => uuidV7(Date.now()),
    setTimer(callback, delayMs) {
      // A longer delay would overflow and fire at once.
      const timer = setTimeout(callback, Math.min(delayMs, 2_147_483_647))
      return () => clearTimeout(timer)
    },
    queueMicrotask: (callback) => globalThis.queueMicrotask(callback),
    fetch: (input, init) => globalThis.fetch(input, init),
    fetchLater: undefined,
    gzip: undefined,
    indexedDB: globalThis.indexedDB,
    storage: localStorageOf(),
    utf8Length: (text) => encoder.encode(text).length,
    online: () => globalThis.navigator?.onLine !== false,
    prerendering: () => (globalThis.document as { prerendering?: boolean } | undefined)?.prerendering === true,
    onLifecycle,
    locks: globalThis.navigator?.locks,
    openChannel: () => undefined,
    reportError: (error) => globalThis.reportError?.(error),
  }
}
