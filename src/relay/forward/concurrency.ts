/** How many calls of a lane may be under way at once: one more for each round that goes well, half after trouble. */
export interface Concurrency {
  readonly limit: number
  /** A call was taken. */
  grow(): void
  /** A call got no verdict: overload, an error, no answer. */
  shrink(): void
}

/** Additive increase, multiplicative decrease, from 1 to `max`. */
export function createConcurrency(max: number): Concurrency {
  let width = 1
  return {
    get limit() {
      return Math.floor(width)
    },
    grow() {
      width = Math.min(max, width + 1 / width)
    },
    shrink() {
      width = Math.max(1, width / 2)
    },
  }
}
