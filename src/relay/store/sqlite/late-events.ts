import { type PlacedEvent, toRuns } from '../core/chunk-format.ts'
import { isLate, type LateRule } from '../core/late-rule.ts'
import type { Chunks } from './chunks.ts'

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
