import { MetertapError } from '../wire/errors.ts'
import { assemble, type Parts } from './assemble.ts'
import type { RelayConfig } from './config/define-config.ts'
import { type RelaySettings, resolveConfig } from './config/resolve-config.ts'
import { defaultDeps } from './default-deps.ts'
import type { RelayDeps } from './deps.ts'
import type { Forwarder } from './forward/contract.ts'
import type { RequestInfo } from './http/env.ts'
import { listen, type RunningServer } from './http/server.ts'
import { createTurnstile } from './http/turnstile.ts'
import type { Reconciler } from './reconcile/contract.ts'
import type { RelayStore } from './store/contract.ts'

/** A relay: give its `fetch` to a server of your own, or let start() listen. */
export interface Relay {
  /** Answers one request of an agent; works in any web-standard server, without start() too. */
  fetch(request: Request, info?: RequestInfo): Promise<Response>
  /** Answers one request of the operator, or of the console's page. Without `admin` in the configuration: 404. */
  adminFetch(request: Request, info?: RequestInfo): Promise<Response>
  /**
   * Starts forwarding and listens where the configuration says; `adminUrl` is there when it has `admin`.
   * Errors: MetertapError bad_option.
   */
  start(): Promise<{ readonly url: string; readonly adminUrl?: string }>
  /** Answers 503 to what is new, waits for open requests (10 s at most) and upstream calls, closes the store. */
  stop(): Promise<void>
  /** What it keeps; for tests and programs of your own around the relay. */
  readonly store: RelayStore
  /** Runs from start() on. A relay that is used through fetch alone starts it by hand. */
  readonly forwarder: Forwarder
  /** Runs when asked, over the admin API too, and by itself where `reconcileEveryHours` says so. */
  readonly reconciler: Reconciler
}

const STOP_GRACE_MS = 10_000
/** Beyond the time that a body has: the body's own deadline answers, this one cuts off. */
const REQUEST_MARGIN_MS = 10_000
const ADMIN_CONNECTIONS = 100
const HOUR_MS = 3_600_000

/**
 * Makes a relay: it issues tokens to agents, takes their batches into its store and forwards them.
 *
 * Errors: MetertapError bad_option, listing every problem of the configuration, or when the store cannot be opened.
 *
 * @example
 * const relay = await createRelay(config)
 * const { url } = await relay.start()
 */
export async function createRelay(config: RelayConfig, given: Partial<RelayDeps> = {}): Promise<Relay> {
  const deps = defaultDeps(given)
  const settings = resolveConfig(config, deps)
  const store = await deps.openStore(settings)
  try {
    const turnstile = createTurnstile()
    return toRelay(await assemble(settings, store, deps, turnstile.isClosed), settings, turnstile, deps.clock)
  } catch (error) {
    await store.close()
    throw error
  }
}

function toRelay(
  parts: Parts,
  settings: RelaySettings,
  turnstile: ReturnType<typeof createTurnstile>,
  clock: () => number,
): Relay {
  const { store, forwarder, reconciler } = parts
  const answer: Relay['fetch'] = (request, info = {}) =>
    turnstile.pass(async () => await parts.app.fetch(request, info))
  const answerAdmin: Relay['adminFetch'] = (request, info = {}) =>
    turnstile.pass(async () => await parts.adminApp.fetch(request, info))
  let started: Promise<RunningServer[]> | undefined
  let stopped: Promise<void> | undefined
  let reconciling: NodeJS.Timeout | undefined

  async function listenAndForward(): Promise<RunningServer[]> {
    const { limits, admin } = settings
    const requestTimeoutMs = limits.bodyTimeoutMs + REQUEST_MARGIN_MS
    const { maxConnections } = limits
    const servers = [await listen(answer, { ...settings.listen, maxConnections, requestTimeoutMs })]
    if (admin !== undefined) {
      const place = { ...admin.listen, trustedProxies: 0, maxConnections: ADMIN_CONNECTIONS, requestTimeoutMs }
      servers.push(
        await listen(answerAdmin, place).catch(async (error: unknown) => {
          await servers[0]?.close(0)
          throw error
        }),
      )
    }
    forwarder.start()
    if (settings.reconcileEveryHours !== undefined) {
      const { reconcileEveryHours } = settings
      reconciling = setInterval(() => runReconciler(reconcileEveryHours * HOUR_MS), reconcileEveryHours * HOUR_MS)
    }
    return servers
  }

  function runReconciler(everyMs: number): void {
    reconcileOnce(everyMs).catch((error: unknown) => parts.log('error', 'reconcile_failed', { error }))
  }

  /** Of the relays that share a store one does it, each time. */
  async function reconcileOnce(everyMs: number): Promise<void> {
    const nowMs = clock()
    const turn = `reconcile ${Math.floor(nowMs / everyMs)} of ${everyMs}`
    if (await store.useNonce(turn, nowMs + 2 * everyMs, nowMs)) await reconciler.run()
  }

  async function drain(): Promise<void> {
    turnstile.close()
    clearInterval(reconciling)
    const servers = (await started?.catch(() => [])) ?? []
    const closing = servers.map((server) => server.close(STOP_GRACE_MS))
    await Promise.all([...closing, turnstile.idle(STOP_GRACE_MS), forwarder.stop()])
    await store.close()
  }

  return {
    fetch: answer,
    adminFetch: answerAdmin,
    async start() {
      if (turnstile.isClosed()) throw new MetertapError('closed', 'The relay was stopped: make a new one.')
      started ??= listenAndForward()
      const [server, admin] = await started
      return { url: server?.url as string, ...(admin === undefined ? {} : { adminUrl: admin.url }) }
    },
    stop() {
      stopped ??= drain()
      return stopped
    },
    store,
    forwarder,
    reconciler,
  }
}
