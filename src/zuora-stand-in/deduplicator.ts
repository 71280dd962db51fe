export interface Deduplicator {
  /** True for the first arrival of a value within the window; a later arrival does not lengthen the window. */
  admit(value: unknown, nowMs: number): boolean
  reset(): void
}

/** Zuora's Deduplicator processor: the first arrival wins. */
export function createDeduplicator(windowMs: number): Deduplicator {
  // A Map keeps the order of arrival, so the values to forget are always its first ones.
  const arrivals = new Map<unknown, number>()
  const forget = (nowMs: number): void => {
    for (const [value, atMs] of arrivals) {
      if (nowMs - atMs < windowMs) return
      arrivals.delete(value)
    }
  }
  return {
    admit(value, nowMs) {
      forget(nowMs)
      if (arrivals.has(value)) return false
      arrivals.set(value, nowMs)
      return true
    },
    reset() {
      arrivals.clear()
    },
  }
}
