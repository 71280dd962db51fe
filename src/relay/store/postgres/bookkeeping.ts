import { type Credit, hourly, type Outcome } from '../core/outcomes.ts'
import type { Hours } from './hours.ts'
import type { Sql } from './sql.ts'
import type { Streams } from './streams.ts'

export interface Bookkeeping {
  book(sql: Sql, outcome: Outcome, credits: readonly Credit[], nowMs: number): Promise<void>
  /** The outcome was not the last word: takes it back. */
  takeBack(sql: Sql, outcome: Outcome, credits: readonly Credit[], nowMs: number): Promise<void>
}

/** Enters outcomes into the streams, the running totals and the hours alike. */
export function createBookkeeping({ streams, hours }: { streams: Streams; hours: Hours }): Bookkeeping {
  async function enter(sql: Sql, outcome: Outcome, credits: readonly Credit[], nowMs: number, sign: 1 | -1) {
    if (credits.length === 0) return
    const name = hourly(outcome, sign)
    const entries = credits.map(({ tenant, account, meter, count }) => {
      const change = name === undefined ? {} : { [name]: name === 'importFailed' ? count : sign * count }
      return { tenant, account, meter, atMs: nowMs, change }
    })
    await Promise.all([streams.credit(sql, outcome, credits, sign), hours.add(sql, name === undefined ? [] : entries)])
  }
  return {
    book: (sql, outcome, credits, nowMs) => enter(sql, outcome, credits, nowMs, 1),
    takeBack: (sql, outcome, credits, nowMs) => enter(sql, outcome, credits, nowMs, -1),
  }
}
