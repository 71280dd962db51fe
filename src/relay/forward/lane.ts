import type { Delivery } from '../store/contract.ts'
import { createBreaker } from './breaker.ts'
import type { CallBudget } from './call-budget.ts'
import type { LaneHold, LaneState, LaneStats, Timer } from './contract.ts'
import { createFlights } from './flights.ts'
import { readBacklog } from './lane-backlog.ts'
import { type CutOptions, createCutter } from './lane-cut.ts'
import { createLaneMemory, GO_ON, type Rest } from './lane-memory.ts'
import { createLaneRecall, type Keepsakes } from './lane-recall.ts'
import { createNapper } from './nap.ts'
import {
  backOff,
  restBetweenProbes,
  restWithoutToken,
  SET_ASIDE_MS,
  type SettleDeps,
  settleDelivery,
} from './settle-delivery.ts'
import type { Zuora } from './zuora.ts'

export interface LaneOptions extends Omit<SettleDeps, 'split'>, CutOptions {
  readonly url: string
  readonly zuora: Zuora
  readonly budget: CallBudget
  readonly timer: Timer
  readonly lingerMs: number
  readonly maxCallsInFlight: number
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
  const { lane, store, clock, log, timer, zuora, url, lingerMs, limits, window, late, budget } = options
  const maxCalls = options.isOrdered ? 1 : options.maxCallsInFlight
  const memory = createLaneMemory({ maxBytes: limits.maxBytes, maxCalls })
  const cutter = createCutter(options, memory)
  const settleDeps: SettleDeps = { ...options, split: cutter.split }
  const recall = createLaneRecall({ lane, memory, clock, keepsakes: options.keepsakes })
  const napper = createNapper(timer)
  const flights = createFlights({ clock, onLanding: () => napper.wake() })
  let shown: { state: LaneState; code?: LaneHold; reason?: string; resumesAtMs?: number } = { state: 'stopped' }
  let hasLingered = false
  let isStopping = false
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
    const { waiting, others, pause } = await look()
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
    const { delivery, isFresh, hold } = await cutter.open(mayCut)
    if (isFresh) late?.wake()
    if (hold) return hold
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

  async function look(): ReturnType<typeof readBacklog> {
    const found = await readBacklog({ store, lane, pausedWith: options.pausedWith, ownRows: flights.rows() })
    const isPaused = found.pause !== undefined
    // Resuming says that the cause is mended: refused events may be buried again.
    if (!isPaused && memory.wasPaused) memory.breaker = createBreaker()
    memory.wasPaused = isPaused
    return found
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

  function show({ state, code, reason, ms }: Rest): void {
    const isWaiting = state === 'backing_off' || state === 'paused'
    const why = { ...(code === undefined ? {} : { code }), ...(reason === undefined ? {} : { reason }) }
    shown = { state, ...why, ...(isWaiting ? { resumesAtMs: clock() + ms } : {}) }
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
