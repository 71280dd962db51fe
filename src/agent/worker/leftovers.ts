import type { Segment } from '../../outbox/contract.ts'
import type { Range } from '../../wire/contract.ts'
import { addRange, coversAll } from '../../wire/ranges.ts'

interface Held {
  readonly segment: Segment
  /** Somebody is taking care of it until then. */
  busyUntilMs: number
  /** The relay would not take it: it is for an outbox to bury. */
  readonly isAside: boolean
}

/**
 * Events of one stream that no Durable Object has, in the memory of an isolate. Plain data: whichever request comes next
 * may take care of what an earlier one had to leave behind.
 */
export class Leftovers {
  readonly #held = new Map<number, Held>()
  #elsewhere: Range[] = []
  #bytes = 0
  #events = 0

  get events(): number {
    return this.#events
  }

  get bytes(): number {
    return this.#bytes
  }

  get isEmpty(): boolean {
    return this.#held.size === 0
  }

  /** Numbers that a relay has, and no outbox heard of. */
  get elsewhere(): readonly Range[] {
    return this.#elsewhere
  }

  /** `busyUntilMs`: somebody is taking care of them until then. */
  hold(segments: readonly Segment[], busyUntilMs = 0, isAside = false): void {
    for (const segment of segments) {
      this.drop([segment])
      this.#held.set(segment.first, { segment, busyUntilMs, isAside })
      this.#bytes += segment.bytes
      this.#events += segment.count
    }
  }

  drop(segments: readonly Pick<Segment, 'first'>[]): void {
    for (const { first } of segments) {
      const known = this.#held.get(first)
      if (!known) continue
      this.#held.delete(first)
      this.#bytes -= known.segment.bytes
      this.#events -= known.segment.count
    }
  }

  /** Those that nobody takes care of, to be sent; until `untilMs` they are taken. */
  take(nowMs: number, untilMs: number): Segment[] {
    return this.#take(nowMs, untilMs, ({ isAside }) => !isAside)
  }

  /** The same for an outbox, which takes what the relay would not, too. */
  takeForOutbox(nowMs: number, untilMs: number): Segment[] {
    return this.#take(nowMs, untilMs, () => true)
  }

  /** Whoever took them could not take care of them. */
  free(segments: readonly Pick<Segment, 'first'>[]): void {
    for (const { first } of segments) {
      const held = this.#held.get(first)
      if (held) held.busyUntilMs = 0
    }
  }

  /** What was taken comes back as what is left of it; `aside` is for an outbox alone, not to be sent from here again. */
  giveBack(taken: readonly Segment[], left: readonly Segment[], aside: readonly Segment[] = []): void {
    // What was stored, or erased, in the meantime is nobody's any more.
    const still = taken.filter(({ first }) => this.#held.has(first))
    const isStillHeld = (piece: Segment) =>
      still.some(({ first, count }) => first <= piece.first && piece.first < first + count)
    this.drop(taken)
    this.hold(left.filter(isStillHeld))
    this.hold(aside.filter(isStillHeld), 0, true)
  }

  /** A relay has these: no outbox needs their texts any more, only their numbers. */
  delivered(ranges: readonly Range[]): void {
    for (const [from, to] of ranges) this.#elsewhere = addRange(this.#elsewhere, from, to).ranges
  }

  /** The outbox has heard of these. */
  told(ranges: readonly Range[]): void {
    this.#elsewhere = this.#elsewhere.filter(([from, to]) => !coversAll(ranges, from, to))
  }

  /** Erases all that nobody is sending; gives how many events it was. */
  purge(nowMs: number): number {
    const free = this.takeForOutbox(nowMs, nowMs)
    this.drop(free)
    return free.reduce((sum, { count }) => sum + count, 0)
  }

  #take(nowMs: number, untilMs: number, isWanted: (held: Held) => boolean): Segment[] {
    const free = [...this.#held.values()].filter((held) => held.busyUntilMs <= nowMs && isWanted(held))
    for (const held of free) held.busyUntilMs = untilMs
    return free.map(({ segment }) => segment).sort((a, b) => a.first - b.first)
  }
}

/** The numbers of some segments that are in none of the others. */
export function numbersGone(before: readonly Segment[], after: readonly Segment[]): Range[] {
  const left = after.reduce<Range[]>(
    (ranges, { first, count }) => addRange(ranges, first, first + count - 1).ranges,
    [],
  )
  return before.reduce<Range[]>((gone, { first, count }) => {
    const missing = addRange(left, first, first + count - 1).added
    return missing.reduce((ranges, [from, to]) => addRange(ranges, from, to).ranges, gone)
  }, [])
}

/** Segments in portions of at most so many bytes, at least one segment each; always at least one portion. */
export function portionsOf(segments: readonly Segment[], maxBytes: number): Segment[][] {
  const portions: Segment[][] = [[]]
  let bytes = 0
  for (const segment of segments) {
    if (bytes > 0 && bytes + segment.bytes > maxBytes) {
      portions.push([])
      bytes = 0
    }
    portions.at(-1)?.push(segment)
    bytes += segment.bytes
  }
  return portions
}
