import { type PlacedEvent, toRuns } from './chunk-format.ts'
import type { Chunks } from './chunks.ts'

/** The lane for events with a time before beforeMs. */
export interface LateRule {
  readonly lane: string
  readonly beforeMs: number
}

export function isLate({ event }: PlacedEvent, { beforeMs }: LateRule): boolean {
  return event.atMs < beforeMs
}

/** Moves the late ones among the places to the end of their own lane, as new chunks. */
export function divertLate(places: readonly PlacedEvent[], rule: LateRule, chunks: Chunks): void {
  const late = places.filter((place) => isLate(place, rule))
  for (const ofChunk of Map.groupBy(late, ({ chunk }) => chunk).values()) {
    const events = ofChunk.map(({ event }) => event)
    const [owner] = events
    if (owner) chunks.add(owner, rule.lane, events)
  }
  chunks.settle(toRuns(late))
}
