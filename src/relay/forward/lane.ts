import type { BuildDelivery, Delivery, LaneBacklog, StoredEvent } from '../store/contract.ts'
import { createBreaker, PROBE_EVENTS } from './breaker.ts'
import { buildDelivery } from './build-delivery.ts'
import type { CallBudget } from './call-budget.ts'
import type { CallLimits } from './call-limits.ts'
import { createConcurrency } from './concurrency.ts'
import type { LaneState, LaneStats, Timer } from './contract.ts'
import type { DedupWindow } from './dedup-window.ts'
import { createFlights } from './flights.ts'
import { createLaneRecall, type Keepsakes } from './lane-recall.ts'
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
  readonly budget: CallBudget
  readonly limits: CallLimits
  readonly gzip: (bytes: Uint8Array) => Uint8Array
  readonly timer: Timer
  /** Marks claims; each call gets a name of its own behind it. */
  readonly owner: string
  readonly leaseMs: number
  readonly lingerMs: number
  readonly maxCallsInFlight: number
  readonly isOrdered: boolean
  readonly window: DedupWindow
  /** Where this lane's late events go. Absent in the late lane itself. */
  readonly late?: { readonly lane: string; readonly wake: () => void }
  /** Default: what a lane learns is forgotten with it. */
  readonly keepsakes?: Keepsakes
  /** The lanes whose pause holds for this one. */
  readonly pausedWith: readonly string[]
}

export interface Lane {
  start(): void
  wake(): void
  /** Begins nothing new; resolves when the calls under way have ended. */
  stop(): Promise<void>
  stats(): LaneStats
}

/** Nothing to do: another process may have stored something meanwhile. */
const IDLE_MS = 60_000
/** Deliveries are there, but postponed, or claimed by a process that is gone. */
const BLOCKED_MS = 5_000
const IDLE: Rest = { ms: IDLE_MS, wakeable: true, state: 'idle' }
/** The end of a call wakes the lane. */
const AWAIT_CALLS: Rest = { ms: IDLE_MS, wakeable: true, state: 'sending' }

/** One meter's way upstream: oldest events first, as many calls at a time as the upstream takes well. */
export function createLane(options: LaneOptions): Lane {
  const { lane, store, clock, log, timer, zuora, url, owner, leaseMs, lingerMs, limits, map, gzip } = options
  const { isOrdered, window, late, budget } = options
  const memory: LaneMemory = {
    ...{ breaker: createBreaker(), concurrency: createConcurrency(isOrdered ? 1 : options.maxCallsInFlight) },
    ...{ failures: 0, round: 0, maxBytes: limits.maxBytes, learnedMaxBytes: limits.maxBytes },
    ...{ wasPaused: false, calls: 0, accepted: 0, buried: 0 },
  }
  const build: BuildDelivery = (events) =>
    buildDelivery(events, { map, gzip, limits, learnedMaxBytes: memory.learnedMaxBytes })
  const settleDeps: SettleDeps = { ...options, build }
  const recall = createLaneRecall({ lane, memory, clock, keepsakes: options.keepsakes })
  const napper = createNapper(timer)
  const flights = createFlights({ clock, onLanding: () => napper.wake() })
  let shown: { state: LaneState; reason?: string; resumesAtMs?: number } = { state: 'stopped' }
  let hasLingered = false
  let isStopping = false
  let claims = 0
  let parked = 0
  let running: Promise<void> | undefined

  async function run(): Promise<void> {
    let kept = await recall.recall().catch(afterError)
    while (!isStopping) {
      napper.forget()
      const rest = kept ?? flights.rest() ?? (await step().catch(afterError))
      kept = undefined
      await recall.remember(rest).catch((error: unknown) => log('error', 'lane_failed', { lane, error }))
      if (rest.ms <= 0) continue
      show(rest)
      await napper.nap(rest.ms, rest.wakeable)
    }
    await flights.landed()
    shown = { state: 'stopped' }
  }

  async function step(): Promise<Rest> {
    if (flights.size >= capacity()) return AWAIT_CALLS
    const { waiting, others, pause } = await readBacklog()
    if (pause !== undefined) return rest('paused', IDLE_MS, `paused by the operator: ${pause}`)
    if (waiting + others <= 0) return flights.size > 0 ? AWAIT_CALLS : IDLE
    const isAlone = flights.size === 0
    const isSmall = waiting < limits.maxRows
    if (isSmall && others <= 0 && !(isAlone && hasLingered)) {
      // What comes while a call is under way fills the next one.
      if (!isAlone) return AWAIT_CALLS
      hasLingered = true
      return { ms: lingerMs, wakeable: false, state: 'idle' }
    }
    hasLingered = false
    const waitMs = await budget.waitMs()
    if (waitMs > 0) return { ...rest('backing_off', waitMs, 'the calls that the upstream allows'), wakeable: false }
    return send(!isSmall || isAlone)
  }

  async function send(mayCut: boolean): Promise<Rest> {
    shown = { state: 'sending' }
    const got = await zuora.ready()
    if (got.kind !== 'token') return restWithoutToken(got, memory, settleDeps)
    const { delivery, isFresh } = await open(mayCut)
    if (isFresh) late?.wake()
    if (!delivery) return flights.size > 0 ? AWAIT_CALLS : restWithoutDelivery()
    if (window.isOverFor(delivery, clock())) return park(delivery)
    if (memory.breaker.state === 'clearing') {
      if (!isFresh) return setAside(delivery)
      memory.breaker.probe()
    }
    memory.calls++
    const { round } = memory
    flights.launch(delivery, () => fly(delivery, round))
    return GO_ON
  }

  async function fly(delivery: Delivery, round: number): Promise<Rest> {
    try {
      return await settleDelivery({ delivery, round }, await zuora.send(url, delivery), memory, settleDeps)
    } catch (error) {
      return afterError(error)
    }
  }

  /** One at a time while there is trouble: a probe is enough. */
  function capacity(): number {
    return memory.breaker.state === 'closed' && memory.failures === 0 ? memory.concurrency.limit : 1
  }

  async function readBacklog(): Promise<{ waiting: number; others: number; pause: string | undefined }> {
    const lanes = await store.backlog()
    const find = (name: string): LaneBacklog | undefined => lanes.find((backlog) => backlog.lane === name)
    const own = find(lane)
    const pause = [lane, ...options.pausedWith]
      .map((name) => find(name)?.paused?.reason)
      .find((why) => why !== undefined)
    // Resuming says that the cause is mended: refused events may be buried again.
    if (pause === undefined && memory.wasPaused) memory.breaker = createBreaker()
    memory.wasPaused = pause !== undefined
    return { waiting: own?.waiting ?? 0, others: (own?.inDelivery ?? 0) - flights.rows(), pause }
  }

  async function open(mayCut: boolean): Promise<{ delivery: Delivery | undefined; isFresh: boolean }> {
    let isFresh = false
    const nowMs = clock()
    const maxEvents = memory.breaker.state === 'closed' ? limits.maxRows : Math.min(PROBE_EVENTS, limits.maxRows)
    const delivery = await store.openDelivery(
      {
        ...{ lane, owner: `${owner}/${++claims}`, leaseMs, nowMs, maxEvents, mayCut, ordered: isOrdered },
        ...(late === undefined ? {} : { late: { lane: late.lane, beforeMs: window.lateBeforeMs(nowMs) } }),
      },
      (events) => {
        isFresh = true
        return build(events)
      },
    )
    return { delivery, isFresh }
  }

  async function park({ id, rows }: Delivery): Promise<Rest> {
    const reason =
      'The upstream may have taken it, and its de-duplication window is over: look it up there, then decide.'
    log('error', 'delivery_parked', { lane, id, rows })
    await store.parkDelivery(id, reason, clock())
    parked++
    return GO_ON
  }

  function restWithoutDelivery(): Rest {
    if (memory.breaker.state === 'closed') return { ms: BLOCKED_MS, wakeable: true, state: 'idle' }
    memory.breaker.probe()
    return restBetweenProbes(memory, settleDeps)
  }

  async function setAside({ id }: Delivery): Promise<Rest> {
    const reason = 'set aside: everything before it was refused'
    await store.postponeDelivery(id, clock() + SET_ASIDE_MS, reason, false)
    return GO_ON
  }

  function afterError(error: unknown): Rest {
    log('error', 'lane_failed', { lane, error })
    return backOff({ afterMs: 0, reason: 'the relay’s own error, see its log' }, memory, settleDeps)
  }

  function rest(state: LaneState, ms: number, reason: string): Rest {
    return { ms, wakeable: true, state, reason }
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
      const { calls, accepted, buried, failures, concurrency } = memory
      return {
        ...{ lane, ...(late === undefined ? { late: true as const } : {}), ...shown, calls, accepted, buried, parked },
        ...{ failuresInARow: failures, inFlight: flights.size, maxInFlight: concurrency.limit },
      }
    },
  }
}
