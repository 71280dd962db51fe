import type { RelaySettings } from './resolve-config.ts'

const DAY_MS = 86_400_000
const DEFAULT_KEY_DAYS = 60

/** Of two events with one key the second may come as late as events are taken, and the first as early. */
export function keyDays({
  idempotencyWindowDays = DEFAULT_KEY_DAYS,
  limits,
}: Pick<RelaySettings, 'idempotencyWindowDays' | 'limits'>): number {
  return Math.max(idempotencyWindowDays, Math.ceil((limits.maxEventAgeMs + limits.maxEventAheadMs) / DAY_MS))
}
