import { backoffMs } from '../../../src/relay/forward/backoff.ts'
import { createConcurrency } from '../../../src/relay/forward/concurrency.ts'
import type { Agenda } from './agenda.ts'
import type { Parcel, Queue } from './queue.ts'

export interface LaneWorld {
  readonly agenda: Agenda
  readonly queue: Queue
  readonly rowsPerCall: number
  readonly lingerMs: number
  readonly maxCallsInFlight: number
  readonly random: () => number
  /** Calls back once a call is within the upstream's limits. */
  readonly awaitBudget: (go: () => void) => void
  /** Makes a call's body and calls back; the process does nothing else meanwhile. */
  readonly cut: (rows: number, done: () => void) => void
  /** Calls back with the answer. */
  readonly call: (rows: number, done: (isAccepted: boolean) => void) => void
}

/** One process's lane of one meter: the rules of src/relay/forward/lane.ts, with its own backoff and concurrency. */
export class SimulatedLane {
  readonly #world: LaneWorld
  readonly #concurrency
  #inFlight = 0
  #failures = 0
  #round = 0
  #restsUntilMs = 0
  #hasLingered = false
  /** A timer, a place in the queue for calls or a cut is under way, and will step. */
  #isWaiting = false

  constructor(world: LaneWorld) {
    this.#world = world
    this.#concurrency = createConcurrency(world.maxCallsInFlight)
  }

  wake(): void {
    if (!this.#isWaiting) this.#step()
  }

  #step(): void {
    const { agenda, queue, rowsPerCall, lingerMs } = this.#world
    const capacity = this.#failures === 0 ? this.#concurrency.limit : 1
    if (agenda.nowMs < this.#restsUntilMs) {
      this.#later(this.#restsUntilMs)
      return
    }
    if (this.#inFlight >= capacity || queue.events === 0) return
    const isAlone = this.#inFlight === 0
    if (queue.events < rowsPerCall && !(isAlone && this.#hasLingered)) {
      if (!isAlone) return
      this.#hasLingered = true
      this.#later(agenda.nowMs + lingerMs)
      return
    }
    this.#hasLingered = false
    this.#isWaiting = true
    this.#world.awaitBudget(() => {
      this.#isWaiting = false
      this.#send()
    })
  }

  #later(atMs: number): void {
    this.#isWaiting = true
    this.#world.agenda.at(atMs, () => {
      this.#isWaiting = false
      this.#step()
    })
  }

  #send(): void {
    const { queue, rowsPerCall, cut, call } = this.#world
    const parcels = queue.take(rowsPerCall)
    if (parcels.length === 0) return
    const rows = parcels.reduce((sum, { events }) => sum + events, 0)
    const round = this.#round
    this.#inFlight++
    this.#isWaiting = true
    cut(rows, () => {
      this.#isWaiting = false
      call(rows, (isAccepted) => {
        this.#inFlight--
        this.#settle(parcels, isAccepted, round)
        this.wake()
      })
      this.wake()
    })
  }

  #settle(parcels: readonly Parcel[], isAccepted: boolean, round: number): void {
    const { agenda, queue, random } = this.#world
    if (isAccepted) {
      this.#failures = 0
      this.#concurrency.grow()
      return
    }
    queue.giveBack(parcels)
    let failures = Math.max(0, this.#failures - 1)
    // One outage counts once, however many calls it hit.
    if (round === this.#round) {
      this.#concurrency.shrink()
      this.#round++
      failures = this.#failures++
    }
    this.#restsUntilMs = Math.max(this.#restsUntilMs, agenda.nowMs + backoffMs(failures, random))
  }
}
