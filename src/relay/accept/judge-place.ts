import { STREAM_ID } from '../../meter/contract.ts'
import type { Rejection, StreamReport } from '../../wire/contract.ts'

/** A number of a stream. */
export interface StreamSeq {
  readonly stream: string
  readonly seq: number
}

/** Enough of a bad stream id to recognise it; the whole would be repeated for each of its events. */
const MAX_ECHO = 64

/** How many numbers each stream of the reports has given out; reports whose id is no stream id are left out. */
export function recordedByStream(reports: readonly StreamReport[]): ReadonlyMap<string, number> {
  const recorded = new Map<string, number>()
  for (const { id, recorded: count } of reports) {
    if (STREAM_ID.test(id)) recorded.set(id, Math.max(count, recorded.get(id) ?? 0))
  }
  return recorded
}

/** Where a segment's events belong. */
export interface Places {
  /** Good for the events that are not refused, as is `first`: event number `index` has the number first + index. */
  readonly stream: string
  readonly first: number
  /** Why event number `index` has no place. */
  refuse(index: number): Rejection | undefined
}

/**
 * Finds the places of a segment's events. What is the same for all of them is looked at once.
 * A rejection for a bad `first` echoes that value for each event: `first + index` could name a good event of the stream.
 */
export function createPlaces(
  segment: { readonly stream: unknown; readonly first: unknown },
  recorded: ReadonlyMap<string, number>,
): Places {
  const { stream, first } = segment
  const isNumber = typeof first === 'number' && Number.isFinite(first)
  const isSequence = isNumber && Number.isSafeInteger(first) && first >= 0
  const seqOf = (index: number): number => (isSequence ? first + index : isNumber ? first : -1)
  const base = isSequence ? first : 0
  if (typeof stream !== 'string' || !STREAM_ID.test(stream)) {
    const echo = typeof stream === 'string' ? stream.slice(0, MAX_ECHO) : ''
    const bad = { stream: echo, code: 'bad_stream', detail: 'The stream must be a UUID in lower case.' }
    return { stream: echo, first: base, refuse: (index) => ({ ...bad, seq: seqOf(index) }) }
  }
  const count = recorded.get(stream)
  const refuse = (index: number): Rejection | undefined => {
    const seq = seqOf(index)
    if (count === undefined) {
      const detail = 'The batch has no report of this stream: name it in "streams".'
      return { stream, seq, code: 'unknown_stream', detail }
    }
    if (!isSequence || !Number.isSafeInteger(seq)) {
      const detail = 'A sequence number is a whole number from 0 to 2^53 − 1.'
      return { stream, seq, code: 'bad_sequence', detail }
    }
    if (seq < count) return undefined
    const detail = `The stream's report gives out numbers below ${count} only: raise "recorded" first.`
    return { stream, seq, code: 'sequence_beyond_recorded', detail }
  }
  return { stream, first: base, refuse }
}
