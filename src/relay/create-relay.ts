import { MetertapError } from '../wire/errors.ts'
import { createAcceptBatch } from './accept/accept-batch.ts'
import type { RelayConfig } from './config/define-config.ts'
import { type Environment, type RelaySettings, resolveConfig } from './config/resolve-config.ts'
import { defaultDeps } from './default-deps.ts'
import type { Forwarder } from './forward/contract.ts'
import { createApp } from './http/app.ts'
import { listen, type RunningServer } from './http/server.ts'
import { createTurnstile } from './http/turnstile.ts'
import type { Log } from './log.ts'
import type { RelayStore } from './store/contract.ts'
import { createAccessTokens } from './tokens/access-token.ts'
import { loadSigningKey } from './tokens/signing-key.ts'
import { createGrantVerifier } from './tokens/verify-grant.ts'

/** What the relay takes from outside; every one has a default. */
export interface RelayDeps {
  /** Wall clock, ms since 1970. Default Date.now. */
  readonly clock: () => number
  /** 0 ≤ random() < 1, for backoff. Default Math.random. */
  readonly random: () => number
  /** Default crypto.randomUUID. */
  readonly uuid: () => string
  /** Calls the upstream. Default the global fetch. */
  readonly fetch: typeof fetch
  /** Default: nothing is logged. */
  readonly log: Log
  /** Where secrets that the configuration leaves out come from. Default process.env. */
  readonly environment: Environment
  /** Default: SQLite, where the configuration says. The relay closes it. */
  readonly openStore: (settings: RelaySettings) => RelayStore
  /** Default: the forwarder to Zuora. */
  readonly createForwarder: (store: RelayStore, settings: RelaySettings) => Forwarder
}

export interface Relay {
  /** Answers one request; works in any web-standard server, without start() too. */
  fetch(request: Request): Promise<Response>
  /** Starts forwarding and listens where the configuration says. Errors: MetertapError bad_option. */
  start(): Promise<{ readonly url: string }>
  /** Answers 503 to what is new, waits for open requests (10 s at most) and upstream calls, closes the store. */
  stop(): Promise<void>
  readonly store: RelayStore
  /** Runs from start() on. A relay that is used through fetch alone starts it by hand. */
  readonly forwarder: Forwarder
}

const STOP_GRACE_MS = 10_000

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
  const settings = resolveConfig(config, deps.environment)
  const store = deps.openStore(settings)
  try {
    return await assemble(settings, store, deps)
  } catch (error) {
    await store.close()
    throw error
  }
}

async function assemble(settings: RelaySettings, store: RelayStore, deps: RelayDeps): Promise<Relay> {
  const { clock, log, uuid } = deps
  const { limits, metersByName, origins, publicUrl, tenant, tokenLifeS, adminKey } = settings
  const key = await loadSigningKey(store)
  const forwarder = deps.createForwarder(store, settings)
  const turnstile = createTurnstile()
  const app = createApp({
    adminKey,
    origins,
    limits,
    store,
    forwarder,
    key,
    clock,
    log,
    isStopping: turnstile.isClosed,
    tokens: createAccessTokens({ key, publicUrl, tenant, lifeS: tokenLifeS, clock, uuid }),
    verifyGrant: createGrantVerifier({ store, secrets: secretsOf(settings), clock, log }),
    acceptBatch: createAcceptBatch({
      store,
      meters: metersByName,
      limits,
      clock,
      log,
      wake: (lane) => forwarder.wake(lane),
    }),
  })
  const answer = (request: Request): Promise<Response> => turnstile.pass(async () => await app.fetch(request))
  let started: Promise<RunningServer> | undefined
  let stopped: Promise<void> | undefined

  async function listenAndForward(): Promise<RunningServer> {
    const server = await listen(answer, settings.listen)
    forwarder.start()
    return server
  }

  async function drain(): Promise<void> {
    turnstile.close()
    const server = await started?.catch(() => undefined)
    await Promise.all([server?.close(STOP_GRACE_MS), turnstile.idle(STOP_GRACE_MS), forwarder.stop()])
    await store.close()
  }

  return {
    fetch: answer,
    async start() {
      if (turnstile.isClosed()) throw new MetertapError('closed', 'The relay was stopped: make a new one.')
      started ??= listenAndForward()
      const { url } = await started
      return { url }
    },
    stop() {
      stopped ??= drain()
      return stopped
    },
    store,
    forwarder,
  }
}

function secretsOf({ grants }: RelaySettings): ReadonlyMap<string, Uint8Array> {
  const encoder = new TextEncoder()
  return new Map(grants.map(({ keyId, secret }) => [keyId, encoder.encode(secret)]))
}
