import type { Log } from '../log.ts'
import type { Delivery, RelayStore } from '../store/contract.ts'
import { backoffMs } from './backoff.ts'
import type { Verdict } from './classify.ts'
import { GO_ON, type LaneMemory, type Rest } from './lane-memory.ts'

export interface SettleDeps {
  readonly lane: string
  readonly store: RelayStore
  readonly clock: () => number
  readonly random: () => number
  readonly log: Log
  /** Cuts a delivery into smaller ones; puts it off whole when none of it can be mapped. */
  readonly split: (id: string, inDoubt: boolean) => Promise<void>
}

/** A claimed delivery, and the lane's round when its call was made. */
export interface Flight {
  readonly delivery: Delivery
  readonly round: number
}

/** Wrong rights or configuration: somebody has to act, so there is no hurry. */
const PAUSE_MS = 60_000
/** A refused event that may not be buried now comes back after this. */
export const SET_ASIDE_MS = 600_000
/** From this attempt on a failing delivery lets others go first, so that one bad one cannot hold up its lane. */
const PATIENT_ATTEMPTS = 5
const PATIENT_MS = 120_000
/** From this attempt on a delivery that fails while others pass is split: one event may be what breaks the upstream. */
const SPLIT_ATTEMPTS = 9
/** Below this the size of a body is no reason for a 413 any more, so nothing is learned from it. */
const MIN_LEARNED_BYTES = 64 * 1024

/** Writes down what the upstream's verdict means for the delivery, and says when the lane goes on. */
export async function settleDelivery(
  flight: Flight,
  verdict: Verdict,
  memory: LaneMemory,
  deps: SettleDeps,
): Promise<Rest> {
  const { store, clock } = deps
  const { delivery } = flight
  switch (verdict.kind) {
    case 'accepted':
      await store.acceptDelivery(delivery.id, clock())
      return noteAccepted(delivery, memory, deps)
    case 'later':
      return tryLater(flight, verdict, memory, deps)
    case 'too_large':
      memory.failures = 0
      memory.learnedMaxBytes = learn(delivery, memory)
      return refuse(delivery, { ...verdict, code: 'too_large', detail: verdict.reason, inDoubt: false }, memory, deps)
    case 'refused':
      memory.failures = 0
      // It is not documented whether the good rows beside a bad one are stored.
      return refuse(delivery, { ...verdict, code: 'refused', inDoubt: delivery.rows > 1 }, memory, deps)
    case 'stopped':
      await store.postponeDelivery(delivery.id, clock(), verdict.reason)
      return GO_ON
    default:
      await store.postponeDelivery(delivery.id, clock() + PAUSE_MS, verdict.reason, false)
      return pause(verdict.reason, deps)
  }
}

/** Half of what was too large. A single event that is too large was the culprit itself: what it taught is forgotten. */
function learn({ rows, bytes }: Delivery, { learnedMaxBytes, maxBytes }: LaneMemory): number {
  return rows === 1 ? maxBytes : Math.min(learnedMaxBytes, Math.max(MIN_LEARNED_BYTES, Math.floor(bytes / 2)))
}

/** What to do when there is no token: the lane has claimed nothing yet. */
export function restWithoutToken(
  verdict: Exclude<Verdict, { kind: 'accepted' }>,
  memory: LaneMemory,
  deps: SettleDeps,
): Rest {
  if (verdict.kind === 'stopped') return GO_ON
  if (verdict.kind === 'later') return backOff(verdict, memory, deps)
  return pause(verdict.reason, deps)
}

export function backOff(
  { afterMs, reason }: { readonly afterMs: number; readonly reason: string },
  memory: LaneMemory,
  { random }: SettleDeps,
): Rest {
  memory.round++
  return { ms: backoffMs(memory.failures++, random, afterMs), wakeable: false, state: 'backing_off', reason }
}

function pause(reason: string, { lane, log }: SettleDeps): Rest {
  log('error', 'lane_paused', { lane, reason, pauseMs: PAUSE_MS })
  return { ms: PAUSE_MS, wakeable: false, state: 'paused', reason }
}

function noteAccepted({ rows }: Delivery, memory: LaneMemory, { lane, log }: SettleDeps): Rest {
  if (memory.breaker.state !== 'closed') log('info', 'lane_recovered', { lane })
  memory.breaker.accepted()
  memory.failures = 0
  memory.accepted += rows
  memory.concurrency.grow()
  return GO_ON
}

async function tryLater(
  { delivery, round }: Flight,
  verdict: Extract<Verdict, { kind: 'later' }>,
  memory: LaneMemory,
  deps: SettleDeps,
): Promise<Rest> {
  const { lane, store, clock, log, split } = deps
  const { id, rows, attempts } = delivery
  const othersPass = memory.failures === 0
  const rest = round === memory.round ? slowDown(verdict, memory, deps) : restAlready(verdict, memory, deps)
  if (othersPass && rows > 1 && attempts >= SPLIT_ATTEMPTS) {
    log('warn', 'delivery_split', { lane, id, rows, reason: verdict.reason })
    await split(id, verdict.inDoubt)
    return rest
  }
  const delayMs = attempts >= PATIENT_ATTEMPTS ? Math.max(PATIENT_MS, rest.ms) : rest.ms
  log('warn', 'delivery_postponed', { lane, id, rows, attempts: attempts + 1, delayMs, reason: verdict.reason })
  await store.postponeDelivery(id, clock() + delayMs, verdict.reason, verdict.inDoubt)
  return rest
}

function slowDown(verdict: Extract<Verdict, { kind: 'later' }>, memory: LaneMemory, deps: SettleDeps): Rest {
  memory.concurrency.shrink()
  return backOff(verdict, memory, deps)
}

/** Another call of the same round has failed before: one outage counts once, however many calls it hit. */
function restAlready({ afterMs, reason }: { afterMs: number; reason: string }, memory: LaneMemory, deps: SettleDeps) {
  const ms = backoffMs(Math.max(0, memory.failures - 1), deps.random, afterMs)
  return { ms, wakeable: false, state: 'backing_off', reason } as const
}

interface Refusal {
  readonly code: string
  readonly reason: string
  readonly detail: string
  readonly inDoubt: boolean
}

/** Never again unchanged: halves, until the bad event is alone; then it is buried, unless everything is refused. */
async function refuse(delivery: Delivery, refusal: Refusal, memory: LaneMemory, deps: SettleDeps): Promise<Rest> {
  const { lane, store, clock, log, split } = deps
  const { id, rows } = delivery
  const { code, reason, detail, inDoubt } = refusal
  const { breaker } = memory
  if (rows > 1) {
    log('warn', 'delivery_split', { lane, id, rows, reason })
    await split(id, inDoubt)
  } else if (breaker.mayBury()) {
    log('error', 'event_buried', { lane, id, code, reason })
    await store.buryDelivery(id, code, detail, clock())
    memory.buried++
  } else {
    await store.postponeDelivery(id, clock() + SET_ASIDE_MS, reason, inDoubt)
  }
  return breaker.spend() ? restBetweenProbes(memory, deps, reason) : GO_ON
}

export function restBetweenProbes({ breaker }: LaneMemory, { lane, log }: SettleDeps, reason?: string): Rest {
  const why = `everything is refused${reason === undefined ? '' : `: ${reason}`}; check the meter's event definition and fields`
  const ms = breaker.restMs()
  const code = 'everything_refused'
  log('error', 'lane_paused', { lane, code, reason: why, pauseMs: ms })
  return { ms, wakeable: false, state: 'paused', code, reason: why }
}
