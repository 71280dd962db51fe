import { v7 } from 'uuid'
import { createGzip } from '../wire/gzip.ts'
import type { LifecycleEvent, Runtime } from './contract.ts'

export interface NodeRuntimeOptions {
  /** Tells the living from the dead where several processes share an outbox. */
  readonly locks?: Runtime['locks']
  /** Default: always online, which a failed request will disprove. */
  readonly online?: () => boolean
}

/** A runtime whose life others tell: signals and the end of the process, or what an application's frame knows. */
export interface NodeRuntime extends Runtime {
  tell(event: LifecycleEvent): void
  /** Waits for the work, but no longer than that; meanwhile the process does not end by itself. */
  waitFor(work: Promise<unknown>, limitMs: number): Promise<void>
  /** Aborts the requests under way: the process wants to end. */
  cutShort(): void
}

/** A longer delay would overflow and fire at once. */
const MAX_DELAY_MS = 2_147_483_647

/**
 * Node's globals as the agent uses them. Its timers never keep a process alive. There is no channel to other processes,
 * so each agent sends for all, and leases keep them apart: nobody waits for a process that may hang.
 */
export function nodeRuntime({ locks, online = () => true }: NodeRuntimeOptions = {}): NodeRuntime {
  const listeners = new Set<(event: LifecycleEvent) => void>()
  let leaving = new AbortController()
  return {
    now: () => Date.now(),
    monotonic: () => performance.now(),
    random: () => Math.random(),
    newStreamId: () => v7(),
    setTimer(callback, delayMs) {
      const timer = setTimeout(callback, Math.min(delayMs, MAX_DELAY_MS)).unref()
      return () => clearTimeout(timer)
    },
    queueMicrotask: (callback) => globalThis.queueMicrotask(callback),
    fetch(input, init) {
      const given = init?.signal ?? (input instanceof Request ? input.signal : undefined)
      const signal = given ? AbortSignal.any([given, leaving.signal]) : leaving.signal
      return globalThis.fetch(input, { ...init, signal })
    },
    fetchLater: undefined,
    gzip: createGzip(CompressionStream, Response),
    indexedDB: undefined,
    storage: undefined,
    utf8Length: (text) => Buffer.byteLength(text),
    online,
    prerendering: () => false,
    onLifecycle(listener) {
      listeners.add(listener)
      return () => void listeners.delete(listener)
    },
    locks,
    openChannel: () => undefined,
    // Not thrown: a listener that fails must not end a server.
    reportError: (error) => process.emitWarning(error instanceof Error ? error : String(error)),
    tell(event) {
      for (const listener of [...listeners]) listener(event)
    },
    async waitFor(work, limitMs) {
      const enough = Promise.withResolvers<void>()
      const timer = setTimeout(enough.resolve, limitMs)
      await Promise.race([work.catch(() => undefined), enough.promise])
      clearTimeout(timer)
    },
    cutShort() {
      leaving.abort(new DOMException('The process ends.', 'AbortError'))
      leaving = new AbortController()
    },
  }
}
