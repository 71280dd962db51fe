import { quoted, type Sql } from './sql.ts'

/** What the relay keeps beside usage: used-up nonces, its own secrets and notes, the mark of the last health check. */
export interface SmallThings {
  /** False when the nonce was used before. */
  useNonce(sql: Sql, nonce: string, expiresAtMs: number, nowMs: number): Promise<boolean>
  readSecret(sql: Sql, name: string): Promise<string | undefined>
  /** The stored value: the given one only if there was none. */
  keepSecret(sql: Sql, name: string, value: string, nowMs: number): Promise<string>
  /** False when it is not `before` any more. */
  swapSecret(sql: Sql, name: string, before: string, after: string): Promise<boolean>
  note(sql: Sql, name: string): Promise<string | undefined>
  setNote(sql: Sql, name: string, value: string): Promise<unknown>
  /** Writes, so that a database that cannot be written to shows. */
  touch(sql: Sql, nowMs: number): Promise<unknown>
}

/** So many old nonces are forgotten with each new one. */
const FORGET = 20

export function createSmallThings(schema: string): SmallThings {
  const s = quoted(schema)

  async function readSecret(sql: Sql, name: string): Promise<string | undefined> {
    const [row] = await sql<{ value: string }>(`SELECT value FROM ${s}.secrets WHERE name = $1`, [name])
    return row?.value
  }

  return {
    async useNonce(sql, nonce, expiresAtMs, nowMs) {
      const [, used] = await Promise.all([
        sql(
          `DELETE FROM ${s}.nonces WHERE nonce IN (
            SELECT nonce FROM ${s}.nonces WHERE expires_at_ms < $1 ORDER BY expires_at_ms LIMIT ${FORGET}
            FOR UPDATE SKIP LOCKED)`,
          [nowMs],
        ),
        sql(`INSERT INTO ${s}.nonces VALUES ($1, $2) ON CONFLICT DO NOTHING RETURNING nonce`, [nonce, expiresAtMs]),
      ])
      return used.length === 1
    },
    readSecret,
    async keepSecret(sql, name, value, nowMs) {
      const given = [name, value, nowMs]
      await sql(`INSERT INTO ${s}.secrets VALUES ($1, $2, $3) ON CONFLICT DO NOTHING`, given)
      return (await readSecret(sql, name)) as string
    },
    async swapSecret(sql, name, before, after) {
      const swap = `UPDATE ${s}.secrets SET value = $3 WHERE name = $1 AND value = $2 RETURNING name`
      return (await sql(swap, [name, before, after])).length === 1
    },
    async note(sql, name) {
      const [row] = await sql<{ value: string }>(`SELECT value FROM ${s}.notes WHERE name = $1`, [name])
      return row?.value
    },
    setNote: (sql, name, value) =>
      sql(`INSERT INTO ${s}.notes VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET value = excluded.value`, [
        name,
        value,
      ]),
    touch: (sql, nowMs) =>
      sql(
        `INSERT INTO ${s}.health VALUES (1, $1) ON CONFLICT (one) DO UPDATE SET checked_at_ms = excluded.checked_at_ms`,
        [nowMs],
      ),
  }
}
