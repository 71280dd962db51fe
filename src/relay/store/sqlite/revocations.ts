import type { Sqlite } from '../../../sqlite/contract.ts'
import type { Revocation, RevocationSubject } from '../contract.ts'

export interface RevocationTable {
  revoke(revocation: Revocation): void
  /** 0 when nothing was revoked. */
  before(subject: RevocationSubject): number
  list(): Revocation[]
}

/** What stands for "every device of the account". No device has an empty name. */
const EVERY_DEVICE = ''

export function createRevocationTable(db: Sqlite): RevocationTable {
  const put = db.prepare(`
    INSERT INTO revocations (tenant, account, device, before_ms) VALUES (?, ?, ?, ?)
    ON CONFLICT DO UPDATE SET before_ms = max(before_ms, excluded.before_ms)`)
  const find = db.prepare(`
    SELECT coalesce(max(before_ms), 0) AS beforeMs FROM revocations
    WHERE tenant = ? AND account = ? AND device IN (?, '${EVERY_DEVICE}')`)
  const all = db.prepare(
    'SELECT tenant, account, device, before_ms AS beforeMs FROM revocations ORDER BY before_ms DESC',
  )
  return {
    revoke({ tenant, account, device = EVERY_DEVICE, beforeMs }) {
      put.run(tenant, account, device, beforeMs)
    },
    before({ tenant, account, device = EVERY_DEVICE }) {
      return Number(find.get(tenant, account, device)?.beforeMs)
    },
    list() {
      return all.all().map((row) => {
        const { device, ...rest } = row as unknown as Revocation
        return device === EVERY_DEVICE ? rest : { ...rest, device: device as string }
      })
    },
  }
}
