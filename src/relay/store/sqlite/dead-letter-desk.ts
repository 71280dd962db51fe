import type { DatabaseSync } from 'node:sqlite'
import type { DeadLetterFilter, RelayDeadLetter } from '../contract.ts'
import type { Chunks } from './chunks.ts'
import type { Streams } from './streams.ts'

/** What an operator does with dead letters. All but the reading ones run inside a transaction. */
export interface DeadLetterDesk {
  find(filter: DeadLetterFilter): RelayDeadLetter[]
  /** False when there is no such letter. */
  edit(id: number, data: string): boolean
  /** Those that went back into their lanes, with new places but their own ids. */
  replay(ids: readonly number[]): RelayDeadLetter[]
}

const COLUMNS = `id, tenant, account, device, stream, seq, meter, at_ms AS atMs, data, received_at_ms AS receivedAtMs, code,
  detail, died_at_ms AS diedAtMs`
const DEFAULT_LIMIT = 100

export function createDeadLetterDesk(
  db: DatabaseSync,
  { chunks, streams }: { chunks: Pick<Chunks, 'add'>; streams: Pick<Streams, 'credit'> },
): DeadLetterDesk {
  const list = db.prepare(`
    SELECT ${COLUMNS} FROM dead_letters
    WHERE id < :before AND (:id IS NULL OR id = :id) AND (:meter IS NULL OR meter = :meter)
      AND (:account IS NULL OR account = :account)
    ORDER BY id DESC LIMIT :limit`)
  const one = db.prepare(`SELECT ${COLUMNS} FROM dead_letters WHERE id = ?`)
  const change = db.prepare('UPDATE dead_letters SET data = ? WHERE id = ?')
  const remove = db.prepare('DELETE FROM dead_letters WHERE id = ?')

  function putBack(letter: RelayDeadLetter): void {
    const { tenant, account, device, stream, receivedAtMs, meter } = letter
    const { id: _id, code: _code, detail: _detail, diedAtMs: _diedAtMs, ...event } = letter
    chunks.add({ tenant, account, device, receivedAtMs, streams: [], events: [], refused: [] }, meter, [event])
    streams.credit('dead', [{ tenant, account, stream, count: -1 }])
    remove.run(letter.id)
  }

  return {
    find({ id, meter, account, before, limit = DEFAULT_LIMIT }) {
      const rows = list.all({
        id: id ?? null,
        meter: meter ?? null,
        account: account ?? null,
        before: before ?? Number.MAX_SAFE_INTEGER,
        limit,
      })
      return rows.map((row) => ({ ...(row as unknown as RelayDeadLetter) }))
    },
    edit: (id, data) => change.run(data, id).changes === 1,
    replay(ids) {
      const letters = [...new Set(ids)].flatMap((id) => {
        const row = one.get(id)
        return row === undefined ? [] : [{ ...(row as unknown as RelayDeadLetter) }]
      })
      for (const letter of letters) putBack(letter)
      return letters
    },
  }
}
