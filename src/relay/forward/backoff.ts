const BASE_MS = 1_000
const CAP_MS = 60_000
const MAX_RETRY_AFTER_MS = 3_600_000

/**
 * Full jitter: uniform in [0, min(60 s, 1 s · 2^failures)), on top of what the upstream asked for.
 * https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/
 */
export function backoffMs(failures: number, random: () => number, atLeastMs = 0): number {
  return atLeastMs + Math.floor(random() * Math.min(CAP_MS, BASE_MS * 2 ** Math.min(failures, 30)))
}

/** Retry-After as ms from now: seconds or an HTTP date; 0 when absent, past or unreadable, at most an hour. */
export function parseRetryAfter(header: string | null, nowMs: number): number {
  const text = header?.trim() ?? ''
  const delayMs = /^\d+(\.\d+)?$/.test(text) ? Number(text) * 1_000 : Date.parse(text) - nowMs
  return Number.isNaN(delayMs) ? 0 : Math.min(Math.max(0, Math.ceil(delayMs)), MAX_RETRY_AFTER_MS)
}
