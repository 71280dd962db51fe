import type { Sqlite } from '../../../sqlite/contract.ts'
import type { DeadLetterFilter, RelayDeadLetter } from '../contract.ts'
import { isIds, type LetterRow, ownerOf, toLetter } from '../core/letters.ts'
import type { Bookkeeping } from './bookkeeping.ts'
import type { Chunks } from './chunks.ts'

/** What an operator does with dead letters. All but the reading ones run inside a transaction. */
export interface DeadLetterDesk {
  /** Newest first. */
  find(filter: DeadLetterFilter): RelayDeadLetter[]
  /** False when there is no such letter. */
  edit(id: number, data: string): boolean
  /** Those that went back into their lanes. */
  replay(selection: readonly number[] | DeadLetterFilter, nowMs: number): RelayDeadLetter[]
  /** How many there were. */
  discard(ids: readonly number[], nowMs: number): number
}

const COLUMNS = `id, tenant, account, device, stream, seq, meter, at_ms AS atMs, data, original_data AS originalData,
  needs_edit AS needsEdit, received_at_ms AS receivedAtMs, code, detail, died_at_ms AS diedAtMs`
const DEFAULT_LIMIT = 100

export function createDeadLetterDesk(
  db: Sqlite,
  { chunks, books }: { chunks: Pick<Chunks, 'add'>; books: Bookkeeping },
): DeadLetterDesk {
  const list = db.prepare(`
    SELECT ${COLUMNS} FROM dead_letters
    WHERE id < ?1 AND (?2 IS NULL OR id = ?2) AND (?3 IS NULL OR meter = ?3)
      AND (?4 IS NULL OR account = ?4) AND (?5 IS NULL OR stream = ?5)
      AND (?6 IS NULL OR code = ?6)
    ORDER BY id DESC LIMIT ?7`)
  const one = db.prepare(`SELECT ${COLUMNS} FROM dead_letters WHERE id = ?`)
  const change = db.prepare(`
    UPDATE dead_letters SET original_data = coalesce(original_data, data), data = ?, needs_edit = 0 WHERE id = ?`)
  const remove = db.prepare('DELETE FROM dead_letters WHERE id = ?')

  function find({ id, meter, account, stream, code, before, limit = DEFAULT_LIMIT }: DeadLetterFilter) {
    const filter = [id, meter, account, stream, code].map((value) => value ?? null)
    const rows = list.all(before ?? Number.MAX_SAFE_INTEGER, ...filter, limit)
    return rows.map((row) => toLetter(row as unknown as LetterRow))
  }

  function named(ids: readonly number[]): RelayDeadLetter[] {
    return [...new Set(ids)].flatMap((id) => {
      const row = one.get(id)
      return row === undefined ? [] : [toLetter(row as unknown as LetterRow)]
    })
  }

  function takeOut(letter: RelayDeadLetter, nowMs: number): void {
    books.takeBack('dead', [{ ...letter, count: 1 }], nowMs)
    remove.run(letter.id)
  }

  return {
    find,
    edit: (id, data) => change.run(data, id).changes === 1,
    replay(selection, nowMs) {
      const chosen = isIds(selection) ? named(selection) : find(selection)
      const letters = chosen.filter(({ needsEdit }) => !needsEdit)
      // In the order in which they died, letters of one batch together.
      const ascending = letters.toSorted((a, b) => a.id - b.id)
      for (const group of Map.groupBy(ascending, ownerOf).values()) {
        const [owner] = group as [RelayDeadLetter]
        chunks.add(owner, owner.meter, group)
      }
      for (const letter of letters) takeOut(letter, nowMs)
      return letters
    },
    discard(ids, nowMs) {
      const letters = named(ids)
      for (const letter of letters) {
        takeOut(letter, nowMs)
        books.book('discarded', [{ ...letter, count: 1 }], nowMs)
      }
      return letters.length
    },
  }
}
