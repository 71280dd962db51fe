import type { MeterRoute } from '../contract.ts'
import type { CallSource } from '../store/contract.ts'
import { type CallBudget, createCallBudget } from './call-budget.ts'
import { CALL_LIMITS } from './call-limits.ts'
import type { Forwarder, ForwarderOptions, Timer } from './contract.ts'
import { createDedupWindow } from './dedup-window.ts'
import type { HttpDeps } from './http-call.ts'
import { createLane, type Lane, type LaneOptions } from './lane.ts'
import type { Keepsakes } from './lane-recall.ts'
import { createMapper } from './map-event.ts'
import { createTokenSource, type TokenSource } from './token-source.ts'
import { DEFAULT_TIMEOUT_MS, setTimer } from './upstream-client.ts'
import { createZuora, usageUrl } from './zuora.ts'

export interface ForwarderParts extends ForwarderOptions {
  readonly gzip: (bytes: Uint8Array) => Uint8Array
  /** Packs a body when it is sent, where gzip could not when it was cut. Default: as it is. */
  readonly pack?: (body: Uint8Array) => Promise<Uint8Array>
  /** Body of one call before compression, where the store's rows have a limit. Default: the upstream's limit. */
  readonly maxBytes?: number
  /** For calls that end too late. Default: `timer`, which may be one that is only good for naps. */
  readonly callTimer?: Timer
  /** Where what a lane learns outlives it. Default: nowhere. */
  readonly keepsakes?: Keepsakes
  /** Default: one of this forwarder's own. */
  readonly budget?: CallBudget
  readonly tokens?: TokenSource
  /** Token requests that many processes share. Default: this process is alone. */
  readonly tokenTurns?: CallSource
}

const MAX_LEASE_MARGIN_MS = 10_000
const DEFAULT_CALLS_IN_FLIGHT = 8
const DEFAULT_WINDOW_DAYS = 30

/** A forwarder by what it is given: for a platform without zlib, and where the budget and the token are kept elsewhere. */
export function createForwarderWith(options: ForwarderParts): Forwarder {
  const { timer = setTimer, stopGraceMs = 10_000, store, log } = options
  const stopped = new AbortController()
  const lanes = createLanes(options, timer, stopped.signal)

  async function reportLanesWithoutRoute(): Promise<void> {
    for (const { lane, waiting, inDelivery } of await store.backlog()) {
      if (lanes.has(lane) || waiting + inDelivery === 0) continue
      log('warn', 'lane_without_route', { lane, events: waiting + inDelivery })
    }
  }

  return {
    start() {
      for (const lane of lanes.values()) lane.start()
      reportLanesWithoutRoute().catch((error: unknown) => log('error', 'backlog_failed', { error }))
    },
    wake(name) {
      if (name !== undefined) lanes.get(name)?.wake()
      else for (const lane of lanes.values()) lane.wake()
    },
    async stop() {
      const cancel = timer(() => stopped.abort(), stopGraceMs)
      await Promise.all([...lanes.values()].map((lane) => lane.stop()))
      cancel()
    },
    stats: () => [...lanes.values()].map((lane) => lane.stats()),
  }
}

function createLanes(options: ForwarderParts, timer: Timer, stopped: AbortSignal): Map<string, Lane> {
  const { routes, upstream, fetch, clock, gzip, lingerMs = 200, tokenTurns } = options
  const timeoutMs = upstream.timeoutMs ?? DEFAULT_TIMEOUT_MS
  const restBase = upstream.restBase.replace(/\/+$/, '')
  const http: HttpDeps = { fetch, timer: options.callTimer ?? timer, timeoutMs, stopped }
  const allowed = CALL_LIMITS[upstream.environment ?? 'production']
  const limits = { ...allowed, maxBytes: Math.min(allowed.maxBytes, options.maxBytes ?? allowed.maxBytes) }
  const budget = options.budget ?? createCallBudget(limits.calls, clock)
  const tokens =
    options.tokens ??
    createTokenSource({ ...upstream, restBase, clock, ...http, ...(tokenTurns && { turns: tokenTurns }) })
  const pack = options.pack === undefined ? {} : { pack: options.pack }
  const zuora = createZuora({ options: upstream, tokens, budget, clock, ...pack, ...http })
  const shared = {
    ...{ store: options.store, log: options.log, random: options.random, owner: options.owner },
    ...{ clock, timer, zuora, budget, gzip, lingerMs, limits },
    ...(options.keepsakes === undefined ? {} : { keepsakes: options.keepsakes }),
    maxCallsInFlight: upstream.maxCallsInFlight ?? DEFAULT_CALLS_IN_FLIGHT,
    leaseMs: leaseMsOf(timeoutMs),
  }
  return new Map(routes.flatMap((route) => lanesOf(route, restBase, shared).map((lane) => [lane.stats().lane, lane])))
}

/** A step makes at most two token requests and two calls; only then may another send the same again. */
export function leaseMsOf(timeoutMs: number): number {
  return 4 * timeoutMs + Math.min(timeoutMs, MAX_LEASE_MARGIN_MS)
}

function lanesOf(
  route: MeterRoute,
  restBase: string,
  shared: Omit<LaneOptions, 'lane' | 'url' | 'map' | 'window' | 'isOrdered' | 'isBraked' | 'pausedWith'>,
): Lane[] {
  const { meter, upstream } = route
  const own = {
    ...shared,
    ...{
      url: usageUrl(route, restBase),
      map: createMapper(upstream.fields),
      isOrdered: upstream.ordered === 'account',
      isBraked: upstream.whenUnmappable !== 'bury',
    },
    window: createDedupWindow(upstream.dedupWindowDays ?? DEFAULT_WINDOW_DAYS),
  }
  const lateLane = createLane({
    ...{ ...own, lane: `${meter.name}:late`, pausedWith: [meter.name] },
    // One event per call: an answer that is lost or says no leaves one event in doubt, not thousands.
    limits: { ...own.limits, maxRows: 1 },
  })
  const late = { lane: `${meter.name}:late`, wake: lateLane.wake }
  return [createLane({ ...own, lane: meter.name, late, pausedWith: [] }), lateLane]
}
