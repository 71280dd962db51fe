import type { Claim, Segment } from '../outbox/contract.ts'
import { sliceSegment, splitEvents } from '../outbox/core/split-events.ts'

/** The first `count` events of a segment, as they stand. */
function head({ stream, first, body }: Segment, count: number): Segment {
  return sliceSegment(stream, splitEvents(body), first, first, first + count - 1)
}

/**
 * At most maxEvents events of a claim, cutting a segment where it must: a claim holds at least one whole segment, which
 * can be more than a relay takes in one request.
 */
export function narrowClaim(claim: Claim, maxEvents: number): Claim {
  const segments: Segment[] = []
  let left = maxEvents
  for (const segment of claim.segments) {
    if (left === 0) break
    const taken = Math.min(left, segment.count)
    segments.push(taken === segment.count ? segment : head(segment, taken))
    left -= taken
  }
  return { ...claim, segments }
}
