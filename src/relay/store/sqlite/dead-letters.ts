import type { DatabaseSync } from 'node:sqlite'
import type { RelayDeadLetter, StoredEvent } from '../contract.ts'

export interface DeadLetters {
  add(event: StoredEvent, code: string, detail: string, diedAtMs: number): void
  /** Newest first. */
  list(limit?: number): RelayDeadLetter[]
}

const DEFAULT_LIMIT = 100
/** Upstreams answer with whole pages at times. */
const MAX_DETAIL_CHARS = 1_000

/** Events that the upstream will not have, in full and with the reason. */
export function createDeadLetters(db: DatabaseSync): DeadLetters {
  const insert = db.prepare(`
    INSERT INTO dead_letters (tenant, account, device, stream, seq, meter, at_ms, data, received_at_ms, code, detail,
      died_at_ms)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`)
  const newest = db.prepare(`
    SELECT id, tenant, account, device, stream, seq, meter, at_ms AS atMs, data, received_at_ms AS receivedAtMs, code,
      detail, died_at_ms AS diedAtMs
    FROM dead_letters ORDER BY id DESC LIMIT ?`)
  return {
    add({ tenant, account, device, stream, seq, meter, atMs, data, receivedAtMs }, code, detail, diedAtMs) {
      const reason = detail.slice(0, MAX_DETAIL_CHARS)
      insert.run(tenant, account, device, stream, seq, meter, atMs, data, receivedAtMs, code, reason, diedAtMs)
    },
    list(limit = DEFAULT_LIMIT) {
      return newest.all(limit).map((row) => ({ ...(row as unknown as RelayDeadLetter) }))
    },
  }
}
