import type { Segment } from '../contract.ts'
import type { SegmentKey } from '../core/tables.ts'

/** About what a burst of 5,000 events takes; what does not fit is read again when it is sent. */
const MAX_BYTES = 1_048_576

/**
 * Segments that this page has stored and will soon send itself, so that their texts need not be read again. A copy says
 * nothing of what is stored: whoever uses one has found its key there, and none of its numbers gone (see claim.ts).
 */
export class Copies {
  readonly #segments = new Map<string, Segment>()
  #bytes = 0
  /** Only a page that sends has any use for them. */
  isOfSender = false

  get isEmpty(): boolean {
    return this.#segments.size === 0
  }

  keep(segments: readonly Segment[]): void {
    if (!this.isOfSender) return
    for (const segment of segments) {
      this.#forget(keyOf(segment))
      // The oldest are sent first.
      if (this.#bytes + segment.bytes > MAX_BYTES) return
      this.#segments.set(keyOf(segment), segment)
      this.#bytes += segment.bytes
    }
  }

  of([stream, first]: SegmentKey): Segment | undefined {
    return this.#segments.get(keyOf({ stream, first }))
  }

  /** Of the segments whose first number lies in [from, to]. */
  forget(stream: string, from: number, to: number): void {
    for (const [key, copy] of this.#segments) {
      if (copy.stream === stream && copy.first >= from && copy.first <= to) this.#forget(key)
    }
  }

  clear(): void {
    this.#segments.clear()
    this.#bytes = 0
  }

  #forget(key: string): void {
    this.#bytes -= this.#segments.get(key)?.bytes ?? 0
    this.#segments.delete(key)
  }
}

function keyOf({ stream, first }: Pick<Segment, 'stream' | 'first'>): string {
  return `${stream}-${first}`
}
