import type { BuildDelivery, Delivery, StoredEvent } from '../store/contract.ts'
import { createBreaker, PROBE_EVENTS } from './breaker.ts'
import { buildDelivery } from './build-delivery.ts'
import type { CallLimits } from './call-limits.ts'
import type { LaneState, LaneStats, Timer } from './contract.ts'
import type { Mapped } from './map-event.ts'
import { createNapper } from './nap.ts'
import {
  backOff,
  GO_ON,
  type LaneMemory,
  type Rest,
  restBetweenProbes,
  restWithoutToken,
  SET_ASIDE_MS,
  type SettleDeps,
  settleDelivery,
} from './settle-delivery.ts'
import type { Zuora } from './zuora.ts'

export interface LaneOptions extends Omit<SettleDeps, 'build'> {
  readonly url: string
  readonly map: (event: StoredEvent) => Mapped
  readonly zuora: Zuora
  readonly limits: CallLimits
  readonly gzip: (bytes: Uint8Array) => Uint8Array
  readonly timer: Timer
  readonly owner: string
  readonly leaseMs: number
  readonly lingerMs: number
}

export interface Lane {
  start(): void
  wake(): void
  /** Begins nothing new; resolves when the step under way has ended. */
  stop(): Promise<void>
  stats(): LaneStats
}

/** Nothing to do: another process may have stored something meanwhile. */
const IDLE_MS = 60_000
/** Deliveries are there, but postponed, or claimed by a process that is gone. */
const BLOCKED_MS = 5_000

/** One meter's way upstream: one call at a time, oldest events first. */
export function createLane(options: LaneOptions): Lane {
  const { lane, store, clock, log, timer, zuora, url, owner, leaseMs, lingerMs, limits, map, gzip } = options
  const memory: LaneMemory = {
    ...{ breaker: createBreaker(), failures: 0, maxBytes: limits.maxBytes, learnedMaxBytes: limits.maxBytes },
    ...{ calls: 0, accepted: 0, buried: 0 },
  }
  const build: BuildDelivery = (events) =>
    buildDelivery(events, { map, gzip, limits, learnedMaxBytes: memory.learnedMaxBytes })
  const settleDeps: SettleDeps = { ...options, build }
  const napper = createNapper(timer)
  let shown: { state: LaneState; reason?: string; resumesAtMs?: number } = { state: 'stopped' }
  let hasLingered = false
  let isStopping = false
  let running: Promise<void> | undefined

  async function run(): Promise<void> {
    while (!isStopping) {
      napper.forget()
      const rest = await step().catch(afterError)
      if (rest.ms <= 0) continue
      show(rest)
      await napper.nap(rest.ms, rest.wakeable)
    }
    shown = { state: 'stopped' }
  }

  async function step(): Promise<Rest> {
    const { waiting, inDelivery } = await readBacklog()
    if (waiting + inDelivery === 0) return { ms: IDLE_MS, wakeable: true, state: 'idle' }
    if (waiting < limits.maxRows && inDelivery === 0 && !hasLingered) {
      hasLingered = true
      return { ms: lingerMs, wakeable: false, state: 'idle' }
    }
    hasLingered = false
    shown = { state: 'sending' }
    const got = await zuora.ready()
    if (got.kind !== 'token') return restWithoutToken(got, memory, settleDeps)
    const { delivery, isFresh } = await open()
    if (!delivery) return restWithoutDelivery()
    if (memory.breaker.state === 'clearing') {
      if (!isFresh) return setAside(delivery)
      memory.breaker.probe()
    }
    memory.calls++
    return settleDelivery(delivery, await zuora.send(url, delivery), memory, settleDeps)
  }

  async function readBacklog(): Promise<{ waiting: number; inDelivery: number }> {
    const lanes = await store.backlog()
    return lanes.find((backlog) => backlog.lane === lane) ?? { waiting: 0, inDelivery: 0 }
  }

  async function open(): Promise<{ delivery: Delivery | undefined; isFresh: boolean }> {
    let isFresh = false
    const maxEvents = memory.breaker.state === 'closed' ? limits.maxRows : Math.min(PROBE_EVENTS, limits.maxRows)
    const delivery = await store.openDelivery({ lane, owner, leaseMs, nowMs: clock(), maxEvents }, (events) => {
      isFresh = true
      return build(events)
    })
    return { delivery, isFresh }
  }

  function restWithoutDelivery(): Rest {
    if (memory.breaker.state === 'closed') return { ms: BLOCKED_MS, wakeable: true, state: 'idle' }
    memory.breaker.probe()
    return restBetweenProbes(memory, settleDeps)
  }

  async function setAside({ id }: Delivery): Promise<Rest> {
    await store.postponeDelivery(id, clock() + SET_ASIDE_MS, 'set aside: everything before it was refused')
    return GO_ON
  }

  function afterError(error: unknown): Rest {
    log('error', 'lane_failed', { lane, error })
    return backOff({ afterMs: 0, reason: 'the relay’s own error, see its log' }, memory, settleDeps)
  }

  function show({ state, reason, ms }: Rest): void {
    const isWaiting = state === 'backing_off' || state === 'paused'
    shown = { state, ...(reason === undefined ? {} : { reason }), ...(isWaiting ? { resumesAtMs: clock() + ms } : {}) }
  }

  return {
    start() {
      running ??= run()
    },
    wake: () => napper.wake(),
    async stop() {
      isStopping = true
      napper.end()
      await running
    },
    stats() {
      const { calls, accepted, buried, failures } = memory
      return { lane, ...shown, calls, accepted, buried, failuresInARow: failures }
    },
  }
}
