import type { Sqlite } from '../../../sqlite/contract.ts'
import type { StoredEvent } from '../contract.ts'

export interface DeadLetters {
  add(event: StoredEvent, code: string, detail: string, diedAtMs: number, needsEdit?: boolean): void
}

/** Upstreams answer with whole pages at times. */
const MAX_DETAIL_CHARS = 1_000

/** Events that the upstream will not have, in full and with the reason. */
export function createDeadLetters(db: Sqlite): DeadLetters {
  const insert = db.prepare(`
    INSERT INTO dead_letters (tenant, account, device, stream, seq, meter, at_ms, data, received_at_ms, code, detail,
      died_at_ms, needs_edit)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`)
  return {
    add(event, code, detail, diedAtMs, needsEdit = false) {
      const { tenant, account, device, stream, seq, meter, atMs, data, receivedAtMs } = event
      const reason = detail.slice(0, MAX_DETAIL_CHARS)
      insert.run(
        ...[tenant, account, device, stream, seq, meter, atMs, data, receivedAtMs, code, reason, diedAtMs],
        needsEdit ? 1 : 0,
      )
    },
  }
}
