import type { DurableObjectSql } from '../../sqlite/durable-object.ts'
import { keyDays } from '../config/key-days.ts'
import { eventCount, metersOf } from '../event-pack.ts'
import { createForwarderWith } from '../forward/forwarder.ts'
import { createSlicedBudget } from '../forward/sliced-budget.ts'
import { DEFAULT_TIMEOUT_MS, setTimer } from '../forward/upstream-client.ts'
import { createDailyCap } from '../limits/daily-cap.ts'
import { createPressure } from '../limits/pressure.ts'
import { createRateLimits } from '../limits/rate-limits.ts'
import type { Log } from '../log.ts'
import { HttpProblem } from '../problem.ts'
import { createSumForwarded } from '../reconcile/compare.ts'
import type { LaneBacklog, RelayStore } from '../store/contract.ts'
import { endEarlierClaims, openDurableStore } from '../store/durable-object/open-durable-store.ts'
import { createAlarmTimer } from './alarm-timer.ts'
import { type GateFace, SHARD_QUESTIONS, type ShardFace } from './contract.ts'
import type { EdgeSettings } from './edge-settings.ts'
import { createGateTokens, createPatientGate, gatePatienceMsOf } from './gate-client.ts'
import { createGzipBytes } from './gzip-bytes.ts'

/** What is needed of a Durable Object's `ctx.storage`. */
export interface ShardStorage extends DurableObjectSql {
  readonly sql: DurableObjectSql['sql'] & { readonly databaseSize: number }
  setAlarm(atMs: number): Promise<void>
}

export interface ShardDeps {
  readonly storage: ShardStorage
  readonly settings: EdgeSettings
  readonly gate: GateFace
  readonly fetch: typeof globalThis.fetch
  readonly clock: () => number
  readonly random: () => number
  readonly uuid: () => string
  readonly log: Log
  /** How long the gate may be silent, ms. Default: a little longer than the upstream may be. */
  readonly gatePatienceMs?: number
}

export interface Shard extends ShardFace {
  /** The object's alarm: never throws, and sets the next one while anything waits. */
  alarm(): Promise<void>
}

/** A Durable Object holds this much. */
const MAX_STORED_BYTES = 10_000_000_000
/** gzip never makes a body longer by more than a few bytes, and a row has 2 MB: its body, and where its events lie. */
const MAX_DELIVERY_BYTES = 1_600_000
/** An alarm is set together with the events themselves: however the object ends, somebody comes for them. */
const FIRST_ALARM_MS = 1_000
const MAX_ALARM_MS = 60_000
/** An alarm waits so long for the calls that it has begun; what is not over then is looked after by the next one. */
const MAX_TURN_MS = 20_000
const LOOK_MS = 10

/** One shard: its store, and the lanes that empty it while the object is awake. An alarm is set as long as anything waits. */
export function createShard(deps: ShardDeps): Shard {
  const { storage, settings, fetch, clock, random, uuid, log } = deps
  const { limits, meters: routes, upstream } = settings
  const { gatePatienceMs = gatePatienceMsOf(upstream.timeoutMs ?? DEFAULT_TIMEOUT_MS) } = deps
  let alarmAtMs = Number.POSITIVE_INFINITY
  const store = openDurableStore({ storage, clock, idempotencyWindowDays: keyDays(settings) })
  endEarlierClaims(storage)
  const gate = createPatientGate(deps.gate, setTimer, gatePatienceMs)
  // Isolates limit by what each of them sees; here all requests of an account meet.
  const rates = createRateLimits({ limits, clock, onRefusal: () => {} })
  const naps = createAlarmTimer({ clock, short: setTimer, armBy })
  const forwarder = createForwarderWith({
    ...{ store, routes, upstream, owner: uuid(), clock, random, fetch, log, lingerMs: settings.lingerMs },
    ...{ timer: naps.timer, callTimer: setTimer, maxBytes: MAX_DELIVERY_BYTES },
    // Packing takes turns here, and a delivery is cut within one: it is kept as it is, and packed when it is sent.
    ...{ gzip: (bytes: Uint8Array) => bytes.slice(), pack: createGzipBytes(CompressionStream) },
    // An object comes and goes with its alarms: what it has learned of the upstream stays.
    keepsakes: {
      read: (lane: string) => store.note(`lane ${lane}`),
      write: (lane: string, text: string) => store.setNote(`lane ${lane}`, text),
    },
    ...{ budget: createSlicedBudget(gate, clock), tokens: createGateTokens(gate, clock) },
  })
  const cap = createDailyCap({ store, maxEvents: limits.maxEventsPerAccountPerDay, clock })
  const pressure = createPressure({
    ...{ limits, clock, log },
    freeDiskBytes: async () => MAX_STORED_BYTES - storage.sql.databaseSize,
    backlogEvents: async () => countWaiting(await store.backlog()),
  })

  /** Not awaited: it is stored with the turn's other writes, or not at all. */
  function armBy(atMs: number): void {
    if (atMs >= alarmAtMs) return
    alarmAtMs = atMs
    storage.setAlarm(atMs).catch((error: unknown) => {
      alarmAtMs = Number.POSITIVE_INFINITY
      log('error', 'alarm_failed', { error })
    })
  }

  function send(lane?: string): void {
    armBy(clock() + FIRST_ALARM_MS)
    forwarder.start()
    forwarder.wake(lane)
  }

  const isBusy = (): boolean => forwarder.stats().some(({ state, inFlight }) => inFlight > 0 || state === 'sending')

  async function turn(): Promise<void> {
    if (countWaiting(await store.backlog()) === 0) return
    // Before the work: a turn that is cut off, by a limit of the platform or a crash, leaves an alarm behind.
    armBy(clock() + MAX_ALARM_MS)
    forwarder.start()
    naps.fire(clock())
    const endsAtMs = clock() + MAX_TURN_MS
    do await new Promise((resolve) => setTimeout(resolve, LOOK_MS))
    while (isBusy() && clock() < endsAtMs)
  }

  return {
    async accept(request) {
      try {
        pressure.check()
        rates.account(request)
        if (eventCount(request) > 0) armBy(clock() + FIRST_ALARM_MS)
        const hold = request.hold === true || (await cap.isReached(request))
        const begunMs = clock()
        const result = await store.accept({ ...request, hold })
        pressure.noteCommit(Math.max(0, clock() - begunMs))
        cap.note(request, result.stored + result.deduplicated)
        if (result.stored > 0 && !hold) for (const lane of metersOf(request)) send(lane)
        return result
      } catch (error) {
        if (!(error instanceof HttpProblem)) throw error
        const { code, message: detail, headers } = error
        return { refused: { code, detail, headers } }
      }
    },
    ask(method, parameters) {
      if (!SHARD_QUESTIONS.includes(method)) throw new TypeError('A shard has no such method.')
      const answer = store[method] as (...given: unknown[]) => ReturnType<RelayStore[typeof method]>
      return answer(...parameters)
    },
    async wake(lane) {
      send(lane)
    },
    stats: async () => forwarder.stats(),
    storedBytes: async () => storage.sql.databaseSize,
    buryForwarded: (failures, nowMs) => Promise.all(failures.map((failure) => store.buryForwarded(failure, nowMs))),
    async ownersOf(streams) {
      const rows = await Promise.all(streams.map((stream) => store.ledger({ stream, limit: 2 })))
      return rows.flat().map(({ stream, tenant, account }) => ({ stream, tenant, account }))
    },
    sumForwarded: createSumForwarded(store),
    async alarm() {
      alarmAtMs = Number.POSITIVE_INFINITY
      await turn().catch((error: unknown) => log('error', 'alarm_failed', { error }))
      // The runtime tries an alarm that throws six times only; this one never does, and comes back.
      const waiting = await store.backlog().then(countWaiting, () => 1)
      if (waiting > 0) armBy(Math.min(naps.nextDueMs() ?? clock() + FIRST_ALARM_MS, clock() + MAX_ALARM_MS))
    },
  }
}

function countWaiting(lanes: readonly LaneBacklog[]): number {
  return lanes.reduce((sum, { waiting, inDelivery }) => sum + waiting + inDelivery, 0)
}
