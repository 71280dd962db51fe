import type { Revocation, RevocationSubject } from '../contract.ts'
import { columns, quoted, type Sql } from './sql.ts'

export interface RevocationTable {
  revoke(sql: Sql, revocation: Revocation): Promise<unknown>
  /** For each subject; 0 where nothing was revoked. */
  before(sql: Sql, subjects: readonly RevocationSubject[]): Promise<number[]>
  list(sql: Sql): Promise<Revocation[]>
}

/** What stands for "every device of the account". No device has an empty name. */
const EVERY_DEVICE = ''

export function createRevocationTable(schema: string): RevocationTable {
  const table = `${quoted(schema)}.revocations`
  return {
    revoke: (sql, { tenant, account, device = EVERY_DEVICE, beforeMs }) =>
      sql(
        `INSERT INTO ${table} AS t VALUES ($1, $2, $3, $4) ON CONFLICT (tenant, account, device)
        DO UPDATE SET before_ms = greatest(t.before_ms, excluded.before_ms)`,
        [tenant, account, device, beforeMs],
      ),
    async before(sql, subjects) {
      const given = columns(
        subjects,
        ({ tenant }) => tenant,
        ({ account }) => account,
        ({ device = EVERY_DEVICE }) => device,
      )
      const rows = await sql<{ beforeMs: number }>(
        `SELECT coalesce(max(r.before_ms), 0)::int8 AS "beforeMs"
        FROM unnest($1::text[], $2::text[], $3::text[]) WITH ORDINALITY AS v(tenant, account, device, place)
        LEFT JOIN ${table} r ON r.tenant = v.tenant AND r.account = v.account AND r.device IN (v.device, '${EVERY_DEVICE}')
        GROUP BY v.place ORDER BY v.place`,
        given,
      )
      return rows.map(({ beforeMs }) => beforeMs)
    },
    async list(sql) {
      const rows = await sql<Required<Revocation>>(
        `SELECT tenant, account, device, before_ms AS "beforeMs" FROM ${table} ORDER BY before_ms DESC`,
      )
      return rows.map(({ device, ...rest }) => (device === EVERY_DEVICE ? rest : { ...rest, device }))
    },
  }
}
