import type { Sqlite } from '../../../sqlite/contract.ts'
import { covers } from '../../../wire/ranges.ts'
import type { ImportFailure, ImportFailureResult } from '../contract.ts'
import { type StreamRow, toState } from '../core/stream-row.ts'
import type { Bookkeeping } from './bookkeeping.ts'
import type { DeadLetters } from './dead-letters.ts'
import type { SmallThings } from './small-things.ts'

interface Parts {
  readonly books: Bookkeeping
  readonly deadLetters: DeadLetters
  readonly small: Pick<SmallThings, 'useNonce'>
}

/** Makes the function that turns a forwarded event into a dead letter, inside a transaction of the caller. */
export function createImportFailures(
  db: Sqlite,
  { books, deadLetters, small }: Parts,
): (failure: ImportFailure, nowMs: number) => ImportFailureResult {
  const streams = db.prepare(`
    SELECT * FROM streams WHERE stream = ?1 AND tenant = ?2 AND (?3 IS NULL OR account = ?3)
    LIMIT 2`)
  const buried = db.prepare('SELECT 1 FROM dead_letters WHERE stream = ? AND seq = ? AND account = ? AND tenant = ?')

  const used = db.prepare('SELECT 1 FROM nonces WHERE nonce = ?')

  /** The one stream that can be meant. */
  function streamOf({ stream, seq, tenant, account }: ImportFailure): StreamRow | undefined {
    const rows = streams.all(stream, tenant, account ?? null) as unknown as StreamRow[]
    const [row] = rows
    if (!row || rows.length > 1) return undefined
    return covers(toState(row).held, seq) ? row : undefined
  }

  return (failure, nowMs) => {
    const row = streamOf(failure)
    if (!row) return 'unknown'
    const { stream, seq, meter, atMs, data, code, detail, needsEdit, mark, markExpiresAtMs } = failure
    const { tenant, account, device, last_seen_ms: receivedAtMs } = row
    const nonce = `import ${mark}`
    if (buried.get(stream, seq, account, tenant) || used.get(nonce)) return 'known'
    // Of an event that is still on its way the upstream cannot know.
    if (row.forwarded === 0) return 'unknown'
    small.useNonce(nonce, markExpiresAtMs, nowMs)
    const credit = [{ tenant, account, stream, meter, count: 1 }]
    books.takeBack('forwarded', credit, nowMs)
    books.book('dead', credit, nowMs)
    const event = { tenant, account, device, stream, seq, meter, atMs, data, receivedAtMs }
    deadLetters.add(event, code, detail, nowMs, needsEdit)
    return 'buried'
  }
}
