import type { LedgerRow } from '../store/contract.ts'

/** The streams of an account that were first seen on one day (UTC), added up as they stand now. */
export interface LedgerDay {
  readonly tenant: string
  readonly account: string
  /** Its begin, ms since 1970. */
  readonly dayMs: number
  readonly streams: number
  readonly recorded: number
  readonly received: number
  readonly declared: number
  readonly rejected: number
  readonly missing: number
}

const DAY_MS = 86_400_000

/** Oldest days first, then by account. */
export function toDays(rows: readonly LedgerRow[]): LedgerDay[] {
  const days = new Map<string, LedgerDay>()
  for (const row of rows) {
    const { tenant, account } = row
    const dayMs = Math.floor(row.firstSeenMs / DAY_MS) * DAY_MS
    const key = JSON.stringify([dayMs, account, tenant])
    const day = days.get(key)
    days.set(key, {
      ...{ tenant, account, dayMs },
      streams: (day?.streams ?? 0) + 1,
      recorded: (day?.recorded ?? 0) + row.recorded,
      received: (day?.received ?? 0) + row.received,
      declared: (day?.declared ?? 0) + Object.values(row.declared).reduce((sum, count) => sum + count, 0),
      rejected: (day?.rejected ?? 0) + row.rejected,
      missing: (day?.missing ?? 0) + row.missing,
    })
  }
  return [...days.values()].toSorted((a, b) => a.dayMs - b.dayMs || (a.account < b.account ? -1 : 1))
}
