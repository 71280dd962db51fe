export interface BackoffOptions {
  /** Uniform in [0, 1). */
  readonly random: () => number
  /** Default 1,000. */
  readonly baseMs?: number
  /** Default 60,000. */
  readonly capMs?: number
}

export interface Backoff {
  /** The next delay: uniform in [0, min(cap, base · 2^failures)), but never under atLeastMs (a server's Retry-After). */
  next(atLeastMs?: number): number
  reset(): void
}

/**
 * Exponential backoff with full jitter
 * (https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/).
 */
export function createBackoff(options: BackoffOptions): Backoff {
  let failures = 0
  return {
    next: (atLeastMs = 0) => backoffMs(options, failures++, atLeastMs),
    reset() {
      failures = 0
    },
  }
}

/** The delay after so many failures before this one, ms. */
export function backoffMs(
  { random, baseMs = 1_000, capMs = 60_000 }: BackoffOptions,
  failures: number,
  atLeastMs = 0,
): number {
  const ceilingMs = Math.min(capMs, baseMs * 2 ** Math.min(failures, 30))
  const jitterMs = random() * ceilingMs
  // A whole crowd is told the same Retry-After: the jitter goes on top of it.
  return Math.round(atLeastMs > 0 ? atLeastMs + jitterMs : jitterMs)
}
