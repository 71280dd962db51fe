import { type Credit, hourly, type Outcome } from '../core/outcomes.ts'
import type { Hours } from './hours.ts'
import type { Streams } from './streams.ts'

export interface Bookkeeping {
  book(outcome: Outcome, credits: readonly Credit[], nowMs: number): void
  /** The outcome was not the last word: takes it back. */
  takeBack(outcome: Outcome, credits: readonly Credit[], nowMs: number): void
}

/** Enters outcomes into the streams, the running totals and the hours alike. */
export function createBookkeeping({ streams, hours }: { streams: Streams; hours: Hours }): Bookkeeping {
  function enter(outcome: Outcome, credits: readonly Credit[], nowMs: number, sign: 1 | -1): void {
    if (credits.length === 0) return
    streams.credit(outcome, credits, sign)
    const name = hourly(outcome, sign)
    if (name === undefined) return
    for (const list of Map.groupBy(
      credits,
      ({ tenant, account, meter }) => `${tenant}\n${account}\n${meter}`,
    ).values()) {
      const [first] = list as [Credit]
      const sum = list.reduce((total, { count }) => total + count, 0)
      hours.add(first, nowMs, { [name]: name === 'importFailed' ? sum : sign * sum })
    }
  }
  return {
    book: (outcome, credits, nowMs) => enter(outcome, credits, nowMs, 1),
    takeBack: (outcome, credits, nowMs) => enter(outcome, credits, nowMs, -1),
  }
}
