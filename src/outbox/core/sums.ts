import type { Segment } from '../contract.ts'

/** How many events the segments hold. */
export function eventsIn(segments: readonly Pick<Segment, 'count'>[]): number {
  let events = 0
  for (const { count } of segments) events += count
  return events
}

/** How many bytes the segments' bodies have. */
export function bytesIn(segments: readonly Pick<Segment, 'bytes'>[]): number {
  let total = 0
  for (const { bytes } of segments) total += bytes
  return total
}
