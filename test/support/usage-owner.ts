import type { AppendGroup, Segment, StreamHead } from '../../src/outbox/contract.ts'

/** The owner of one stream, as the agent is one: numbers events, keeps the head, makes groups. */
export class UsageOwner {
  readonly stream: string
  readonly accountTag: string
  readonly texts: string[] = []
  #appended = 0
  #bytes = 0
  #refused: Record<string, number> = {}
  #dropped: Record<string, number> = {}

  constructor(stream: string, accountTag: string) {
    this.stream = stream
    this.accountTag = accountTag
  }

  get head(): StreamHead {
    return {
      stream: this.stream,
      accountTag: this.accountTag,
      openedAtMs: 1_000,
      recorded: this.texts.length,
      bytes: this.#bytes,
      refused: { ...this.#refused },
      dropped: { ...this.#dropped },
    }
  }

  /** Records events and puts them into one group of segments of at most `perSegment` events. */
  group(texts: readonly string[], options: { perSegment?: number; strict?: boolean } = {}): AppendGroup {
    this.texts.push(...texts)
    const segments: Segment[] = []
    const size = options.perSegment ?? (texts.length || 1)
    while (this.#appended < this.texts.length) {
      const first = this.#appended
      const part = this.texts.slice(first, first + size)
      const body = part.join(',')
      const bytes = new TextEncoder().encode(body).length
      segments.push({ stream: this.stream, first, count: part.length, bytes, body })
      this.#appended += part.length
      this.#bytes += bytes
    }
    return { head: this.head, segments, strict: options.strict ?? false }
  }

  /** Opens a window with a new number, or writes the sum of an open one (`seq`) anew. */
  rollup(event: string, closesAtMs: number, seq: number = this.#reserve()): AppendGroup {
    this.texts[seq] = event
    const { stream, accountTag } = this
    return { head: this.head, segments: [], strict: false, rollups: [{ stream, seq, accountTag, event, closesAtMs }] }
  }

  /** Closes a window with its last sum. */
  close(seq: number, event: string): AppendGroup {
    this.texts[seq] = event
    const bytes = new TextEncoder().encode(event).length
    this.#bytes += bytes
    const segments = [{ stream: this.stream, first: seq, count: 1, bytes, body: event }]
    return { head: this.head, segments, strict: false, closed: [seq] }
  }

  #reserve(): number {
    this.texts.push('')
    return this.#appended++
  }

  refuse(code: string): AppendGroup {
    this.#refused[code] = (this.#refused[code] ?? 0) + 1
    return { head: this.head, segments: [], strict: false }
  }

  /** Gives out numbers whose events are lost before they could be appended. */
  drop(reason: string, count: number): AppendGroup {
    for (let lost = 0; lost < count; lost++) this.texts.push('')
    this.#appended += count
    this.#dropped[reason] = (this.#dropped[reason] ?? 0) + count
    return { head: this.head, segments: [], strict: false }
  }
}

/** Time-ordered stream ids: the nth is newer than the one before. */
export function streamId(nth: number): string {
  return `019ab000-0000-7000-8000-${nth.toString(16).padStart(12, '0')}`
}

export function eventText(note: string): string {
  return JSON.stringify(['api_calls', 1_700_000_000_000, { note }])
}
