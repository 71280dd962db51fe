import { browserRuntime } from './browser.ts'
import type { Runtime } from './contract.ts'

/** What can wake a service worker. */
export type WakeKind = 'activate' | 'fetch' | 'message' | 'periodicsync' | 'push' | 'sync'

/** A service worker was woken, or is awake for this. */
export interface Wake {
  readonly kind: WakeKind
  /** Of 'sync' and 'periodicsync': the name under which it was asked for. */
  readonly tag: string | undefined
  /** Keeps the worker alive until then; a rejection makes the browser try a 'sync' again later. */
  waitUntil(work: Promise<unknown>): void
}

export interface ServiceWorkerRuntime extends Runtime {
  /** Listens for wakes; to be called while the worker's script first runs, as service workers demand. */
  onWake(kinds: readonly WakeKind[], listener: (wake: Wake) => void): void
}

/** The part of a service worker's events that is used; TypeScript's DOM library has no types for them. */
interface WakeEvent extends Event {
  readonly tag?: string
  readonly request?: Request
  waitUntil(work: Promise<unknown>): void
}

/** The globals of a service worker. Reads them when called, never at import. */
export function serviceWorkerRuntime(): ServiceWorkerRuntime {
  return {
    ...browserRuntime(),
    onWake(kinds, listener) {
      for (const kind of kinds) {
        globalThis.addEventListener(kind, (event) => {
          const { tag, request } = event as WakeEvent
          // A page is opened; its scripts and pictures are no news.
          if (kind === 'fetch' && request?.mode !== 'navigate') return
          listener({ kind, tag, waitUntil: (work) => (event as WakeEvent).waitUntil(work) })
        })
      }
    },
  }
}
