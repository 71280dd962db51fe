import { createCallBudget } from '../../../src/relay/forward/call-budget.ts'
import { seededRandom } from '../../../test/chaos/random.ts'
import { quantile } from '../../harness/stats.ts'
import { Agenda } from './agenda.ts'
import { Queue } from './queue.ts'
import type { Sample, SimulationOptions, SimulationResult } from './sim-contract.ts'
import { SimulatedLane } from './sim-lane.ts'

/** More arrivals than this are taken in lots: their latencies mean less then, the backlog does not. */
const MAX_ARRIVALS = 100_000

/**
 * Relays that accept, store and forward, event by event: each process is a queue before one core; each of its meters has
 * a lane, all lanes of a meter share what waits, and all processes share the upstream's calls. Same seed, same result.
 */
export function simulate(options: SimulationOptions): SimulationResult {
  return new Simulation(options).run()
}

class Simulation {
  readonly #options: SimulationOptions
  readonly #agenda = new Agenda()
  readonly #queues: readonly Queue[]
  /** By process, then by meter. */
  readonly #lanes: readonly (readonly SimulatedLane[])[]
  readonly #busyUntilMs: number[]
  readonly #budget
  readonly #waitingForCalls: (() => void)[] = []
  readonly #latenciesMs: number[] = []
  readonly #samples: Sample[] = []
  readonly #random
  readonly #lot: number
  #databaseBusyUntilMs = 0
  #isHanding = false
  #received = 0
  #forwarded = 0
  #calls = 0
  #failed = 0
  #mostWaiting = 0
  #emptyAtS: number | undefined

  constructor(options: SimulationOptions) {
    const { seed, relays, meters, waitingEvents = 0 } = options
    this.#options = options
    const { eventsPerS, batchEvents, durationS, arrivalsUntilS = durationS } = options
    this.#lot = Math.max(1, Math.round(((eventsPerS / batchEvents) * arrivalsUntilS) / MAX_ARRIVALS))
    this.#random = seededRandom(seed)
    this.#budget = createCallBudget(options.calls, () => this.#agenda.nowMs)
    this.#queues = Array.from({ length: meters }, () => new Queue())
    for (const queue of this.#queues) if (waitingEvents > 0) queue.add({ atMs: 0, events: waitingEvents / meters })
    this.#received = waitingEvents
    this.#busyUntilMs = Array.from({ length: relays }, () => 0)
    this.#lanes = this.#busyUntilMs.map((_, relay) => this.#queues.map((queue) => this.#laneOf(relay, queue)))
  }

  run(): SimulationResult {
    const { durationS, eventsPerS, sampleS = durationS } = this.#options
    if (eventsPerS > 0) this.#arrive()
    for (const lane of this.#lanes.flat()) this.#agenda.at(0, () => lane.wake())
    let before = { forwarded: 0, calls: 0, failed: 0 }
    for (let atS = sampleS; atS <= durationS + 1e-9; atS += sampleS) {
      this.#agenda.runUntil(atS * 1_000)
      this.#samples.push(this.#look(atS, sampleS, before))
      before = { forwarded: this.#forwarded, calls: this.#calls, failed: this.#failed }
    }
    return {
      samples: this.#samples,
      ...{ received: this.#received, forwarded: this.#forwarded, calls: this.#calls },
      ...{ mostWaiting: this.#mostWaiting, emptyAtS: this.#emptyAtS },
      accept: this.#latency(),
    }
  }

  #latency(): SimulationResult['accept'] {
    const all = this.#latenciesMs
    return this.#lot > 1 || all.length === 0 ? undefined : { p50Ms: quantile(all, 0.5), p99Ms: quantile(all, 0.99) }
  }

  #laneOf(relay: number, queue: Queue): SimulatedLane {
    const { rowsPerCall, lingerMs = 200, maxCallsInFlight = 8 } = this.#options
    return new SimulatedLane({
      ...{ agenda: this.#agenda, queue, rowsPerCall, lingerMs, maxCallsInFlight, random: this.#random.next },
      awaitBudget: (go) => {
        this.#waitingForCalls.push(go)
        this.#handOutCalls()
      },
      cut: (rows, done) => this.#cut(relay, rows, done),
      call: (rows, done) => this.#call(rows, done),
    })
  }

  /** One request, or a lot of them, after an exponential wait. */
  #arrive(): void {
    const { eventsPerS, batchEvents, durationS, arrivalsUntilS = durationS, relays, meters } = this.#options
    const requestsPerS = eventsPerS / batchEvents
    const lot = this.#lot
    const waitMs = (-Math.log(1 - this.#random.next()) * 1_000 * lot) / requestsPerS
    if (this.#agenda.nowMs + waitMs > arrivalsUntilS * 1_000) return
    this.#agenda.at(this.#agenda.nowMs + waitMs, () => {
      const relay = this.#random.whole(0, relays - 1)
      this.#accept(relay, this.#random.whole(0, meters - 1), lot)
      this.#arrive()
    })
  }

  #accept(relay: number, meter: number, requests: number): void {
    const { acceptUsPerRequest, database } = this.#options
    const cameMs = this.#agenda.nowMs
    this.#agenda.at(this.#work(relay, (requests * acceptUsPerRequest) / 1_000), () => {
      const storedMs = this.#store(requests * (database?.usPerRequest ?? 0))
      this.#agenda.at(storedMs, () => {
        this.#latenciesMs.push(storedMs - cameMs)
        this.#keep(relay, meter, requests)
      })
    })
  }

  #keep(relay: number, meter: number, requests: number): void {
    const events = requests * this.#options.batchEvents
    this.#received += events
    this.#queues[meter]?.add({ atMs: this.#agenda.nowMs, events })
    this.#mostWaiting = Math.max(this.#mostWaiting, this.#received - this.#forwarded)
    this.#lanes[relay]?.[meter]?.wake()
  }

  /** The database's cores share its work, one at a time works for one; when it will be done. */
  #store(us: number): number {
    const { storeMs, database } = this.#options
    if (!database) return this.#agenda.nowMs + storeMs
    const startMs = Math.max(this.#agenda.nowMs, this.#databaseBusyUntilMs)
    this.#databaseBusyUntilMs = startMs + us / 1_000 / database.cores
    return startMs + us / 1_000 + storeMs
  }

  /** The process's one core does this after all that it was given before; when it will be done. */
  #work(relay: number, ms: number): number {
    const doneMs = Math.max(this.#agenda.nowMs, this.#busyUntilMs[relay] ?? 0) + ms
    this.#busyUntilMs[relay] = doneMs
    return doneMs
  }

  #cut(relay: number, rows: number, done: () => void): void {
    const { forwardUsPerRow, database } = this.#options
    this.#agenda.at(this.#work(relay, (rows * forwardUsPerRow) / 1_000), () => {
      if (database) this.#agenda.at(this.#store(rows * database.usPerRow), done)
      else done()
    })
  }

  #call(rows: number, done: (isAccepted: boolean) => void): void {
    const { callMs, outage } = this.#options
    this.#calls++
    this.#agenda.at(this.#agenda.nowMs + callMs, () => {
      const atS = this.#agenda.nowMs / 1_000
      const isAway = outage !== undefined && atS >= outage.fromS && atS < outage.untilS
      if (isAway) this.#failed++
      else this.#forwarded += rows
      if (this.#forwarded >= this.#received) this.#emptyAtS = atS
      done(!isAway)
    })
  }

  /** First come, first served. */
  #handOutCalls(): void {
    if (this.#isHanding) return
    while (this.#waitingForCalls.length > 0) {
      const waitMs = this.#budget.waitMs()
      if (waitMs > 0) {
        this.#isHanding = true
        this.#agenda.at(this.#agenda.nowMs + waitMs, () => {
          this.#isHanding = false
          this.#handOutCalls()
        })
        return
      }
      this.#budget.spend()
      this.#waitingForCalls.shift()?.()
    }
  }

  #look(atS: number, sampleS: number, before: { forwarded: number; calls: number; failed: number }): Sample {
    const oldestMs = this.#queues.map(({ oldestMs }) => oldestMs ?? atS * 1_000)
    return {
      atS,
      waitingEvents: this.#received - this.#forwarded,
      oldestS: atS - Math.min(...oldestMs) / 1_000,
      forwardedPerS: (this.#forwarded - before.forwarded) / sampleS,
      callsPerS: (this.#calls - before.calls) / sampleS,
      failedCallsPerS: (this.#failed - before.failed) / sampleS,
    }
  }
}
