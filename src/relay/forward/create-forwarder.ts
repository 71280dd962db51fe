import { gzipSync } from 'node:zlib'
import type { MeterRoute } from '../contract.ts'
import { createCallBudget } from './call-budget.ts'
import { CALL_LIMITS } from './call-limits.ts'
import type { Forwarder, ForwarderOptions, Timer } from './contract.ts'
import { createDedupWindow } from './dedup-window.ts'
import type { HttpDeps } from './http-call.ts'
import { createLane, type Lane, type LaneOptions } from './lane.ts'
import { createMapper } from './map-event.ts'
import { createTokenSource } from './token-source.ts'
import { setTimer } from './upstream-client.ts'
import { createZuora, usageUrl } from './zuora.ts'

const DEFAULT_TIMEOUT_MS = 30_000
const MAX_LEASE_MARGIN_MS = 10_000
const DEFAULT_CALLS_IN_FLIGHT = 8
const DEFAULT_WINDOW_DAYS = 30

/**
 * Sends stored events to Zuora Mediation, one lane per meter, and settles them by what it answers. Events so old that
 * the upstream's Deduplicator may have forgotten them when a retry comes go one by one through a lane of their own.
 * No answer loses an event: it is accepted, buried with its reason, or still in the store.
 *
 * @throws MetertapError bad_option when a meter's upload URL is on another host than restBase
 * @example
 * const forwarder = createForwarder({ store, routes, upstream, owner: crypto.randomUUID(), clock: Date.now,
 *   random: Math.random, fetch, log })
 * forwarder.start()
 */
export function createForwarder(options: ForwarderOptions): Forwarder {
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

function createLanes(options: ForwarderOptions, timer: Timer, stopped: AbortSignal): Map<string, Lane> {
  const { routes, upstream, fetch, clock, gzip = gzipSync, lingerMs = 200 } = options
  const timeoutMs = upstream.timeoutMs ?? DEFAULT_TIMEOUT_MS
  const restBase = upstream.restBase.replace(/\/+$/, '')
  const http: HttpDeps = { fetch, timer, timeoutMs, stopped }
  const limits = CALL_LIMITS[upstream.environment ?? 'production']
  const budget = createCallBudget(limits.calls, clock)
  const tokens = createTokenSource({ ...upstream, restBase, clock, ...http })
  const zuora = createZuora({ options: upstream, tokens, budget, clock, ...http })
  const shared = {
    ...{ store: options.store, log: options.log, random: options.random, owner: options.owner },
    ...{ clock, timer, zuora, budget, gzip, lingerMs, limits },
    maxCallsInFlight: upstream.maxCallsInFlight ?? DEFAULT_CALLS_IN_FLIGHT,
    // A step makes at most two token requests and two calls; only then may another process send the same again.
    leaseMs: 4 * timeoutMs + Math.min(timeoutMs, MAX_LEASE_MARGIN_MS),
  }
  return new Map(routes.flatMap((route) => lanesOf(route, restBase, shared).map((lane) => [lane.stats().lane, lane])))
}

function lanesOf(
  route: MeterRoute,
  restBase: string,
  shared: Omit<LaneOptions, 'lane' | 'url' | 'map' | 'window' | 'isOrdered' | 'pausedWith'>,
): Lane[] {
  const { meter, upstream } = route
  const own = {
    ...shared,
    ...{
      url: usageUrl(route, restBase),
      map: createMapper(upstream.fields),
      isOrdered: upstream.ordered === 'account',
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
