import type { Segment } from '../../outbox/contract.ts'
import type { Range } from '../../wire/contract.ts'
import { addRange, coversAll } from '../../wire/ranges.ts'

/**
 * Events of one stream that no Durable Object has, in the memory of an isolate. Plain data: whichever request comes next
 * may take care of what an earlier one had to leave behind.
 */
export class Leftovers {
  readonly #held = new Map<number, { readonly segment: Segment; busyUntilMs: number }>()
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

  /** All of them, in order of number. */
  get segments(): Segment[] {
    return [...this.#held.values()].map(({ segment }) => segment).sort((a, b) => a.first - b.first)
  }

  /** Numbers that a relay has, and no outbox heard of. */
  get elsewhere(): readonly Range[] {
    return this.#elsewhere
  }

  /** `busyUntilMs`: take() does not give them before. */
  hold(segments: readonly Segment[], busyUntilMs = 0): void {
    for (const segment of segments) {
      this.drop([segment])
      this.#held.set(segment.first, { segment, busyUntilMs })
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

  /** Those that nobody is sending; until `untilMs` they are taken. */
  take(nowMs: number, untilMs: number): Segment[] {
    const free = [...this.#held.values()].filter(({ busyUntilMs }) => busyUntilMs <= nowMs)
    for (const each of free) each.busyUntilMs = untilMs
    return free.map(({ segment }) => segment).sort((a, b) => a.first - b.first)
  }

  /** What was taken comes back as what is left of it; `aside` is for an outbox alone, not to be sent from here again. */
  giveBack(taken: readonly Segment[], left: readonly Segment[], aside: readonly Segment[] = []): void {
    // What was stored, or erased, in the meantime is nobody's any more.
    const still = taken.filter(({ first }) => this.#held.has(first))
    const isStillHeld = (piece: Segment) =>
      still.some(({ first, count }) => first <= piece.first && piece.first < first + count)
    this.drop(taken)
    this.hold(left.filter(isStillHeld))
    this.hold(aside.filter(isStillHeld), Number.POSITIVE_INFINITY)
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
    const free = this.take(nowMs, nowMs)
    this.drop(free)
    return free.reduce((sum, { count }) => sum + count, 0)
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
