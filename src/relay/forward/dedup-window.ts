import type { Delivery } from '../store/contract.ts'

/** For how long the upstream can be relied on to notice a second copy of an event. */
export interface DedupWindow {
  /** Events older than this (their own time, ms) go through the late lane. */
  lateBeforeMs(nowMs: number): number
  /** Whether a second copy might be billed: the delivery may have been taken before, and the window may be over. */
  isOverFor(delivery: Pick<Delivery, 'oldestAtMs' | 'doubtSinceMs'>, nowMs: number): boolean
}

const DAY_MS = 86_400_000
/** How much of the window is left for retries when an event is still sent the usual way. */
const RETRY_SHARE = 0.1
/** Clocks differ, and a call takes its time. */
const MARGIN_MS = 3_600_000

/**
 * It is not documented whether the Deduplicator's window starts with an event's arrival or with the event's own time,
 * so both must lie within it.
 */
export function createDedupWindow(days: number): DedupWindow {
  const windowMs = days * DAY_MS
  return {
    lateBeforeMs: (nowMs) => nowMs - windowMs * (1 - RETRY_SHARE),
    isOverFor({ oldestAtMs, doubtSinceMs }, nowMs) {
      return doubtSinceMs !== undefined && Math.min(oldestAtMs, doubtSinceMs) < nowMs - windowMs + MARGIN_MS
    },
  }
}
