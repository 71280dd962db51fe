import { setTimeout as delay } from 'node:timers/promises'
import type { Page } from 'playwright'
import type { Recorded } from '../page/contract.ts'
import type { Sink } from '../sink/server.ts'

/** How events are recorded: all in one task, or so many a second. */
export type Pace = { readonly kind: 'burst' } | { readonly kind: 'steady'; readonly perSecond: number }

/** After the last event: what is cleaned up belongs to the price. */
const QUIET_MS = 700
const POLL_MS = 50

/** Waits until every event is there and nothing more comes, or until the time is over. */
export async function waitForDelivery(sink: Sink, events: number, deadlineMs: number): Promise<void> {
  for (;;) {
    const { delivered, lastRequestMs } = sink.arrivals
    const nowMs = Date.now()
    if (nowMs > deadlineMs || (delivered >= events && nowMs - lastRequestMs > QUIET_MS)) return
    await delay(POLL_MS)
  }
}

export function record(page: Page, pace: Pace): Promise<Recorded | undefined> {
  if (pace.kind === 'burst') return page.evaluate(() => window.bench?.burst())
  return page.evaluate((perSecond) => window.bench?.steady(perSecond), pace.perSecond)
}

/** IndexedDB transactions of the page so far. */
export function countTransactions(page: Page): Promise<number> {
  return page.evaluate(() => Object.values(window.bench?.transactions ?? {}).reduce((sum, count) => sum + count, 0))
}
