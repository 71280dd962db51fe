import { eventId } from '../meter/contract.ts'
import type { Claim, Segment } from '../outbox/contract.ts'
import { eventsIn } from '../outbox/core/sums.ts'

/**
 * 'halve': send fewer. 'suspect': set this one event aside and go on. 'bury': it was refused before, others have been
 * accepted since, and it is refused again. 'park': it is not the events' fault.
 */
export type Suspicion = 'halve' | 'suspect' | 'bury' | 'park'

/** So many in a row, and none accepted in between: the relay refuses everything. */
const MAX_SUSPECTS = 5

/**
 * Finds the event that makes the relay refuse a whole request, by halving. One refused alone is only suspected: after
 * the relay has accepted others it is tried once more, and buried if it is refused again. So a relay, or a proxy before
 * it, that refuses everything for a while buries nothing.
 */
export class Poison {
  #maxEvents = Number.POSITIVE_INFINITY
  /** One event each: refused alone. */
  #suspects: Segment[] = []
  readonly #secondChance = new Set<string>()

  /** Events in one request while the search is on. */
  get maxEvents(): number {
    return this.#maxEvents
  }

  refused({ segments }: Claim): Suspicion {
    const events = eventsIn(segments)
    const [segment] = segments
    if (!segment) return 'park'
    if (events > 1) {
      this.#maxEvents = Math.floor(events / 2)
      return 'halve'
    }
    if (this.#secondChance.delete(eventId(segment.stream, segment.first))) return 'bury'
    if (this.#suspects.length >= MAX_SUSPECTS) return 'park'
    this.#suspects.push(segment)
    return 'suspect'
  }

  /** The relay accepted something: requests may grow again, and those who were suspected get a second chance now. */
  accepted(): readonly Segment[] {
    const suspects = this.#suspects
    this.#suspects = []
    this.#maxEvents *= 2
    for (const { stream, first } of suspects) this.#secondChance.add(eventId(stream, first))
    return suspects
  }
}
