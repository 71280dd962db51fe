import type { Claim, Segment } from '../outbox/contract.ts'

/** An event that was refused alone. Guilty once another one is accepted. */
export interface Suspect {
  readonly segment: Segment
  readonly detail: string
}

/** 'halve': send fewer. 'suspect': set this one event aside and go on. 'park': it is not the events' fault. */
export type Suspicion = 'halve' | 'suspect' | 'park'

/** So many in a row, and none accepted in between: the relay refuses everything. */
const MAX_SUSPECTS = 5

/**
 * Finds the event that makes the relay refuse a whole request, by halving. One alone is only suspected: it is buried
 * after the relay has accepted another, so a relay that refuses everything buries nothing.
 */
export class Poison {
  #maxEvents = Number.POSITIVE_INFINITY
  #suspects: Suspect[] = []

  /** Events in one request while the search is on. */
  get maxEvents(): number {
    return this.#maxEvents
  }

  refused(sent: Claim, detail: string): Suspicion {
    const events = sent.segments.reduce((sum, { count }) => sum + count, 0)
    const [segment] = sent.segments
    if (!segment) return 'park'
    if (events > 1) {
      this.#maxEvents = Math.floor(events / 2)
      return 'halve'
    }
    if (this.#suspects.length >= MAX_SUSPECTS) return 'park'
    this.#suspects.push({ segment, detail })
    return 'suspect'
  }

  /** The relay accepted something: who was suspected is guilty, and requests may grow again. */
  accepted(): readonly Suspect[] {
    const guilty = this.#suspects
    this.#suspects = []
    if (guilty.length > 0) this.#maxEvents = Number.POSITIVE_INFINITY
    else this.#maxEvents *= 2
    return guilty
  }
}
