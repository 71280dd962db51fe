import { openIdbOutbox } from '../outbox/idb/open.ts'
import { type ServiceWorkerRuntime, serviceWorkerRuntime, type Wake, type WakeKind } from '../runtime/service-worker.ts'
import { MetertapError } from '../wire/errors.ts'
import { syncTag } from './background-sync.ts'
import type { DrainOutcome } from './drain.ts'
import { type DrainOptions, type DrainSettings, readDrainOptions } from './drain-options.ts'
import { drainPatiently } from './drain-patiently.ts'

/** What drainUsage() gives: a way to send at other moments. */
export interface UsageDrain {
  /**
   * Sends what waits, now; for wakes that only the application knows. Give it to `event.waitUntil()`. Rejects when the
   * outbox cannot be opened or the token option throws; nothing is lost by that.
   */
  drain(): Promise<DrainOutcome>
}

/** A worker is killed some time after its event should have ended: better to give the events back before. */
const MAX_DRAIN_MS = 60_000
/** So long of it a Background Sync is tried again by ourselves, since Chromium does so after five minutes. */
const SYNC_PATIENCE_MS = 40_000
/** Wakes that come thick and fast, such as messages, look into the outbox no more often than this. */
const QUIET_MS = 5_000
const WAKES: readonly WakeKind[] = ['activate', 'message', 'periodicsync', 'push', 'sync']

/**
 * Sends from the service worker what pages have left in their outbox: on Background Sync, where pages ask for it with
 * `createAgent({ backgroundSync: true })`, and on whatever else wakes the worker: activate, message, push, periodic sync.
 * Under the same lock as the pages, so one sends for all. On Background Sync it goes on trying for 40 s, then the browser
 * does, after minutes. Call it while the worker's script first runs.
 *
 * @throws MetertapError `bad_option` when an option cannot be used.
 * @example
 * drainUsage({
 *   relay: 'https://usage.acme.com',
 *   token: () => fetch('/usage-token').then((answer) => (answer.ok ? answer.text() : undefined)),
 * })
 */
export function drainUsage(options: DrainOptions): UsageDrain {
  const settings = readDrainOptions(options)
  const runtime = serviceWorkerRuntime()
  let running: Promise<DrainOutcome> | undefined
  let lastMs = Number.NEGATIVE_INFINITY

  const drain = (patienceMs = 0): Promise<DrainOutcome> => {
    running ??= drainInTime(settings, runtime, patienceMs).finally(() => {
      running = undefined
      lastMs = runtime.monotonic()
    })
    return running
  }

  const hear = async ({ kind, tag }: Wake): Promise<void> => {
    const isSync = kind === 'sync'
    if (!isSync && runtime.monotonic() - lastMs < QUIET_MS) return
    // Of other syncs than ours we take the occasion, and leave the outcome to their owner.
    const isOurs = isSync && tag === syncTag(settings.outbox)
    const outcome = await drain(isOurs ? SYNC_PATIENCE_MS : 0).catch((error) => {
      if (isOurs) throw error
      return undefined
    })
    // The browser repeats a sync that fails. A page that is the sender may be closed before it could send.
    if (isOurs && (outcome === 'later' || outcome === 'busy')) {
      throw new MetertapError('relay_unreachable', 'Usage events wait for another try.')
    }
  }

  runtime.onWake(settings.onFetch ? [...WAKES, 'fetch'] : WAKES, (wake) => wake.waitUntil(hear(wake)))
  return { drain: () => drain() }
}

async function drainInTime(
  settings: DrainSettings,
  runtime: ServiceWorkerRuntime,
  patienceMs: number,
): Promise<DrainOutcome> {
  const { now: clock, newStreamId: random, indexedDB, setTimer } = runtime
  const outbox = await openIdbOutbox({ name: settings.outbox, indexedDB, random, clock, setTimer })
  const late = new AbortController()
  const inTime = setTimer(() => late.abort(), MAX_DRAIN_MS)
  try {
    return await drainPatiently({ settings, runtime, outbox, signal: late.signal }, patienceMs)
  } finally {
    inTime()
    await outbox.close()
  }
}
