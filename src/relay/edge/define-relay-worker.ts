import { DurableObject } from 'cloudflare:workers'
import { MetertapError } from '../../wire/errors.ts'
import { describeError } from '../describe-error.ts'
import { HttpProblem, problemResponse, unavailable } from '../problem.ts'
import type { AcceptRequest, ImportFailure, RelayStore, Revocation } from '../store/contract.ts'
import { assembleEdge, type EdgeApps } from './assemble-edge.ts'
import { findGate, findKeys, findShards } from './bindings.ts'
import { findConsoleFiles } from './console-files.ts'
import type { GateFace, KeysFace, ReconcileFace, ShardFace, ShardQuestion } from './contract.ts'
import { createEdgeReconciler } from './edge-reconciler.ts'
import { type EdgeSettings, type RelayWorkerOptions, resolveEdgeSettings } from './edge-settings.ts'
import { createGate, type Gate } from './gate.ts'
import { createGateReconciler } from './gate-reconciler.ts'
import { createKeys } from './keys.ts'
import { requireSameShards } from './same-shards.ts'
import { createShard, type Shard } from './shard.ts'
import { createWorkerLog } from './worker-log.ts'

/** What a Worker's module exports: the handler as its default, the classes by their names. */
export interface RelayWorker {
  /** The module's default export. */
  readonly worker: {
    /** Answers agents, and below `/admin` the operator. */
    fetch(request: Request, env: object, context: { waitUntil(promise: Promise<unknown>): void }): Promise<Response>
    /**
     * Wakes every shard, should one ever sleep over its events, and reconciles where `reconcileEveryHours` says so. For
     * a cron trigger, once an hour.
     */
    scheduled(event: unknown, env: object): Promise<void>
  }
  /** Takes, keeps and forwards the events of its accounts; binding `USAGE_SHARD`. */
  readonly UsageShard: DurableObjectClass
  /** Holds signing keys and revocations; binding `USAGE_KEYS`. */
  readonly UsageKeys: DurableObjectClass
  /** Holds the upstream's token and the budget of its calls; binding `USAGE_GATE`. */
  readonly UsageGate: DurableObjectClass
}

type State = ConstructorParameters<typeof DurableObject>[0]

/** A class that Cloudflare makes objects of; what they are asked is between the relay's own parts. */
export type DurableObjectClass = new (ctx: State, env: object) => DurableObject

const ADMIN_PREFIX = '/admin'
const HOUR_MS = 3_600_000

/**
 * Makes the relay on Cloudflare Workers. Its Worker authenticates, reads and judges batches; `shards` SQLite Durable
 * Objects take them by account and forward them from alarms; one object holds the signing keys and revocations, one
 * the upstream's OAuth token and call budget. Agents call it as they call any relay; the operator's API is below
 * `/admin`, and the console at `/console` where the static assets of `USAGE_CONSOLE` hold its page. Options may be a function of the Worker's env; secrets come from its bindings `METERTAP_ZUORA_CLIENT_ID`,
 * `METERTAP_ZUORA_CLIENT_SECRET`, `METERTAP_GRANT_SECRET_<KEY ID>` and `METERTAP_ADMIN_KEY`.
 *
 * Errors: every request is answered 500 `internal`, and the Worker's log says `bad_option` with every problem and its
 * fix, when an option does not fit or a binding is missing.
 *
 * @example
 * const relay = defineRelayWorker({
 *   publicUrl: 'https://usage.example.com',
 *   meters: [{ meter: apiCalls, upstream: { meterGlobalId: '…', fields: { UsageIdentifier: 'id', UsageDate: 'at', CustomerId: 'account', Quantity: 'data.quantity' } } }],
 *   upstream: { restBase: 'https://rest.zuora.com' },
 *   grants: [{ keyId: 'app' }],
 *   origins: ['https://app.example.com'],
 * })
 * export default relay.worker
 * export const { UsageShard, UsageKeys, UsageGate } = relay
 */
export function defineRelayWorker(options: RelayWorkerOptions | ((env: object) => RelayWorkerOptions)): RelayWorker {
  const log = createWorkerLog(console)
  const surroundings = { clock: () => Date.now(), fetch: (...call: Parameters<typeof fetch>) => fetch(...call), log }
  const settingsOf = (env: object): EdgeSettings =>
    resolveEdgeSettings(typeof options === 'function' ? options(env) : options, env)
  let assembled: { readonly env: object; readonly apps: Promise<EdgeApps> } | undefined

  /** Once for an isolate; what failed is tried again by the next request. */
  async function appsOf(env: object): Promise<EdgeApps> {
    if (assembled?.env !== env) {
      const settings = settingsOf(env)
      const objects = { shards: findShards(env, settings.shards), keys: findKeys(env), reconciling: findGate(env) }
      const parts = { ...objects, loadConsole: findConsoleFiles(env), uuid: () => crypto.randomUUID() }
      assembled = { env, apps: assembleEdge({ ...surroundings, ...parts, settings }) }
    }
    try {
      return await assembled.apps
    } catch (error) {
      assembled = undefined
      throw error
    }
  }

  class UsageShard extends DurableObject<object> implements ShardFace {
    readonly #shard: Shard
    constructor(ctx: State, env: object) {
      super(ctx, env)
      const outside = { ...surroundings, random: () => Math.random(), uuid: () => crypto.randomUUID() }
      this.#shard = createShard({ ...outside, storage: ctx.storage, settings: settingsOf(env), gate: findGate(env) })
    }
    accept(request: AcceptRequest) {
      return this.#shard.accept(request)
    }
    ask<M extends ShardQuestion>(method: M, parameters: Parameters<RelayStore[M]>) {
      return this.#shard.ask(method, parameters)
    }
    wake(lane?: string) {
      return this.#shard.wake(lane)
    }
    stats() {
      return this.#shard.stats()
    }
    storedBytes() {
      return this.#shard.storedBytes()
    }
    buryForwarded(failures: readonly ImportFailure[], nowMs: number) {
      return this.#shard.buryForwarded(failures, nowMs)
    }
    ownersOf(streams: readonly string[]) {
      return this.#shard.ownersOf(streams)
    }
    sumForwarded(meter: string, span: Parameters<ShardFace['sumForwarded']>[1]) {
      return this.#shard.sumForwarded(meter, span)
    }
    alarm() {
      return this.#shard.alarm()
    }
  }

  class UsageKeys extends DurableObject<object> implements KeysFace {
    readonly #keys: KeysFace
    constructor(ctx: State, env: object) {
      super(ctx, env)
      this.#keys = createKeys(ctx.storage, surroundings.clock)
    }
    readSecret(name: string) {
      return this.#keys.readSecret(name)
    }
    keepSecret(name: string, value: string) {
      return this.#keys.keepSecret(name, value)
    }
    swapSecret(name: string, before: string, after: string) {
      return this.#keys.swapSecret(name, before, after)
    }
    revoke(revocation: Revocation) {
      return this.#keys.revoke(revocation)
    }
    revocations(version: number) {
      return this.#keys.revocations(version)
    }
    fixShards(count: number) {
      return this.#keys.fixShards(count)
    }
    check() {
      return this.#keys.check()
    }
  }

  class UsageGate extends DurableObject<object> implements GateFace, ReconcileFace {
    readonly #gate: Gate
    readonly #reconciler: ReconcileFace
    constructor(ctx: State, env: object) {
      super(ctx, env)
      const { upstream, meters: routes, tenant, shards: count } = settingsOf(env)
      this.#gate = createGate({ ...surroundings, upstream })
      const { ask } = this.#gate
      const parts = { storage: ctx.storage, shards: findShards(env, count), routes, tenant, ask }
      this.#reconciler = createGateReconciler({ ...surroundings, ...parts })
    }
    token() {
      return this.#gate.token()
    }
    discard(token: string) {
      return this.#gate.discard(token)
    }
    take(want: number) {
      return this.#gate.take(want)
    }
    hold(ms: number) {
      return this.#gate.hold(ms)
    }
    reconcile(meter: string, sinceMs?: number) {
      return this.#reconciler.reconcile(meter, sinceMs)
    }
    takeTurn(everyMs: number) {
      return this.#reconciler.takeTurn(everyMs)
    }
  }

  const worker = {
    fetch(request: Request, env: object, context: { waitUntil(promise: Promise<unknown>): void }): Promise<Response> {
      const answering = answer(request, env)
      // What an isolate reads for all (keys, revocations) must not end with the client that happened to ask first.
      context.waitUntil(answering)
      return answering
    },
    async scheduled(_event: unknown, env: object): Promise<void> {
      const settings = settingsOf(env)
      const { shards, reconcileEveryHours } = settings
      const woken = findShards(env, shards).map((shard) => shard.wake())
      const reconciled =
        reconcileEveryHours === undefined ? undefined : reconcileInTurn(env, settings, reconcileEveryHours * HOUR_MS)
      // One that fails keeps nothing from the others.
      for (const result of await Promise.allSettled([...woken, reconciled])) {
        if (result.status === 'rejected') log('error', 'scheduled_failed', { error: result.reason })
      }
    },
  }

  /** However often the trigger comes, once in that time. */
  async function reconcileInTurn(env: object, { meters, shards }: EdgeSettings, everyMs: number): Promise<void> {
    const face = findGate(env)
    await requireSameShards(findKeys(env), shards)
    if (!(await face.takeTurn(everyMs))) return
    const names = meters.map(({ meter }) => meter.name)
    await createEdgeReconciler({ face, meters: names, clock: surroundings.clock }).run()
  }

  async function answer(request: Request, env: object): Promise<Response> {
    try {
      const { app, adminApp } = await appsOf(env)
      const url = new URL(request.url)
      if (url.pathname !== ADMIN_PREFIX && !url.pathname.startsWith(`${ADMIN_PREFIX}/`)) {
        return await app.fetch(request, { address: request.headers.get('cf-connecting-ip') ?? undefined })
      }
      url.pathname = url.pathname.slice(ADMIN_PREFIX.length) || '/'
      return await adminApp.fetch(new Request(url, request), {})
    } catch (error) {
      log('error', 'relay_failed', { error: describeError(error) })
      const isWrong = error instanceof MetertapError && error.code === 'bad_option'
      const wrong = new HttpProblem('internal', "The relay is not set up right: its Worker's log says why.")
      return problemResponse(isWrong ? wrong : unavailable('The relay cannot reach its objects now: send it again.'))
    }
  }
  return { worker, UsageShard, UsageKeys, UsageGate }
}
