import type { Sqlite } from '../../../sqlite/contract.ts'
import type { HourFilter, HourRow } from '../contract.ts'
import type { HourChange } from '../core/outcomes.ts'

export interface Hours {
  /** Adds to the hour in which `atMs` lies. */
  add(
    of: { readonly tenant: string; readonly account: string; readonly meter: string },
    atMs: number,
    change: HourChange,
  ): void
  list(filter: HourFilter): HourRow[]
}

const HOUR_MS = 3_600_000
const HOURS_PER_DAY = 24
const DEFAULT_LIMIT = 1_000

/** The ledger by account, meter and hour, for so many days. Adding runs inside a transaction of the caller. */
export function createHours(db: Sqlite, keepDays: number): Hours {
  const upsert = db.prepare(`
    INSERT INTO hours (hour, account, meter, tenant, received, forwarded, import_failed, dead, deduplicated)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT DO UPDATE SET received = received + excluded.received, forwarded = forwarded + excluded.forwarded,
      import_failed = import_failed + excluded.import_failed, dead = dead + excluded.dead, deduplicated = deduplicated + excluded.deduplicated`)
  // Two hours at a time: that is little work, and a clock that is far ahead for a while does not cost the whole ledger.
  const forget = db.prepare('DELETE FROM hours WHERE hour < ? AND hour <= (SELECT min(hour) + 1 FROM hours)')
  const select = `
    SELECT tenant, account, meter, hour * ${HOUR_MS} AS hourMs, received, forwarded, import_failed AS importFailed, dead,
      deduplicated
    FROM hours WHERE hour >= ?1 AND hour < ?2 AND (?3 IS NULL OR meter = ?3)`
  const order = 'ORDER BY hour, account, meter, tenant LIMIT ?4'
  const find = db.prepare(`${select} ${order}`)
  // A statement of its own, so that the index by account is used: the daily cap asks for one account at a time.
  const findOfAccount = db.prepare(`${select} AND account = ?5 ${order}`)
  let newest = 0

  return {
    add({ tenant, account, meter }, atMs, change) {
      const { received = 0, forwarded = 0, importFailed = 0, dead = 0, deduplicated = 0 } = change
      const hour = Math.floor(atMs / HOUR_MS)
      upsert.run(hour, account, meter, tenant, received, forwarded, importFailed, dead, deduplicated)
      if (hour <= newest) return
      newest = hour
      forget.run(hour - keepDays * HOURS_PER_DAY)
    },
    list({ account, meter, fromMs = 0, untilMs = Number.MAX_SAFE_INTEGER, limit = DEFAULT_LIMIT }) {
      const from = Math.ceil(fromMs / HOUR_MS)
      const until = Math.ceil(untilMs / HOUR_MS)
      const filter = [from, until, meter ?? null, limit]
      const rows = account === undefined ? find.all(...filter) : findOfAccount.all(...filter, account)
      return rows.map((row) => ({ ...(row as unknown as HourRow) }))
    },
  }
}
