import type { Settlement } from '../../outbox/contract.ts'
import { bytesIn } from '../../outbox/core/sums.ts'
import type { Range } from '../../wire/contract.ts'
import { MetertapError } from '../../wire/errors.ts'
import type { AppendRequest } from './protocol.ts'

/** What one append may hold, and one row of a Durable Object's SQLite. */
const MAX_GROUP_BYTES = 16_777_216
const MAX_SEGMENT_BYTES = 1_500_000

/** @throws MetertapError `internal` or `event_too_large`. */
export function checkRequest({ account, group }: AppendRequest): void {
  if (group.head.accountTag !== account) {
    throw new MetertapError('internal', 'A group is of the account that its call names.')
  }
  const tooLarge =
    group.segments.some(({ bytes }) => bytes > MAX_SEGMENT_BYTES) || bytesIn(group.segments) > MAX_GROUP_BYTES
  if (!tooLarge) return
  const text = `A call takes at most ${MAX_GROUP_BYTES} bytes of events, in segments of at most ${MAX_SEGMENT_BYTES}.`
  throw new MetertapError('event_too_large', text)
}

/** A relay has these numbers, and their events will never be appended. */
export function heldElsewhere(stream: string, ranges: readonly Range[], nowMs: number): Settlement {
  const segments = ranges.map(([first, last]) => ({ stream, first, count: last - first + 1, bytes: 0, body: '' }))
  const claim = { segments, reports: [], more: false }
  return { claim, received: { [stream]: ranges }, rejected: [], deferred: [], nowMs }
}
