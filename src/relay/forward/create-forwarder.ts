import { gzipSync } from 'node:zlib'
import { CALL_LIMITS } from './call-limits.ts'
import type { Forwarder, ForwarderOptions, Timer } from './contract.ts'
import type { HttpDeps } from './http-call.ts'
import { createLane, type LaneOptions } from './lane.ts'
import { createMapper } from './map-event.ts'
import { createTokenSource } from './token-source.ts'
import { createZuora, usageUrl } from './zuora.ts'

const DEFAULT_TIMEOUT_MS = 30_000
const LEASE_MARGIN_MS = 10_000

/**
 * Sends stored events to Zuora Mediation, one lane per meter, and settles them by what it answers.
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

function createLanes(options: ForwarderOptions, timer: Timer, stopped: AbortSignal) {
  const { routes, upstream, fetch, clock, gzip = gzipSync, lingerMs = 200 } = options
  const timeoutMs = upstream.timeoutMs ?? DEFAULT_TIMEOUT_MS
  const restBase = upstream.restBase.replace(/\/+$/, '')
  const http: HttpDeps = { fetch, timer, timeoutMs, stopped }
  const tokens = createTokenSource({ ...upstream, restBase, clock, ...http })
  const zuora = createZuora({ options: upstream, tokens, clock, ...http })
  const shared: Omit<LaneOptions, 'lane' | 'url' | 'map'> = {
    ...{ store: options.store, log: options.log, random: options.random, owner: options.owner },
    ...{ clock, timer, zuora, gzip, lingerMs },
    limits: CALL_LIMITS[upstream.environment ?? 'production'],
    // A step makes at most two token requests and two calls; only then may another process send the same again.
    leaseMs: 4 * timeoutMs + LEASE_MARGIN_MS,
  }
  return new Map(
    routes.map((route) => {
      const map = createMapper(route.upstream.fields)
      const lane = createLane({ ...shared, lane: route.meter.name, url: usageUrl(route, restBase), map })
      return [route.meter.name, lane]
    }),
  )
}

function setTimer(callback: () => void, delayMs: number): () => void {
  const timeout = setTimeout(callback, delayMs)
  return () => clearTimeout(timeout)
}
