/**
 * A Retry-After header in milliseconds from now: seconds or an HTTP date (RFC 9110, 10.2.3).
 * 0 when it is absent, in the past or not understood; at most a day.
 */
export function retryAfterMs(header: string | null, nowMs: number): number {
  if (!header) return 0
  const delayMs = /^\d+$/.test(header.trim()) ? Number(header) * 1_000 : Date.parse(header) - nowMs
  return Number.isNaN(delayMs) ? 0 : Math.min(Math.max(delayMs, 0), 86_400_000)
}
