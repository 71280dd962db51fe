import { covers } from '../../../wire/ranges.ts'
import type { ImportFailure, ImportFailureResult } from '../contract.ts'
import { type StreamRow, toState } from '../core/stream-row.ts'
import type { Bookkeeping } from './bookkeeping.ts'
import type { DeadLetters } from './dead-letters.ts'
import type { SmallThings } from './small-things.ts'
import { quoted, type Sql } from './sql.ts'

interface Parts {
  readonly books: Bookkeeping
  readonly deadLetters: DeadLetters
  readonly small: Pick<SmallThings, 'useNonce'>
}

/** Makes the function that turns a forwarded event into a dead letter, inside a transaction of the caller. */
export function createImportFailures(
  schema: string,
  { books, deadLetters, small }: Parts,
): (sql: Sql, failure: ImportFailure, nowMs: number) => Promise<ImportFailureResult> {
  const s = quoted(schema)
  const streams = `
    SELECT * FROM ${s}.streams WHERE stream = $1 AND tenant = $2 AND ($3::text IS NULL OR account = $3)
    ORDER BY account LIMIT 2 FOR UPDATE`
  const known = `
    SELECT 1 FROM ${s}.dead_letters WHERE stream = $1 AND seq = $2 AND account = $3 AND tenant = $4
    UNION ALL SELECT 1 FROM ${s}.nonces WHERE nonce = $5 LIMIT 1`

  /** The one stream that can be meant; its row is locked, so that two reports come one after the other. */
  async function streamOf(sql: Sql, { stream, seq, tenant, account }: ImportFailure): Promise<StreamRow | undefined> {
    const rows = await sql<StreamRow>(streams, [stream, tenant, account ?? null])
    const [row] = rows
    if (!row || rows.length > 1) return undefined
    return covers(toState(row).held, seq) ? row : undefined
  }

  return async (sql, failure, nowMs) => {
    const row = await streamOf(sql, failure)
    if (!row) return 'unknown'
    const { stream, seq, meter, atMs, data, code, detail, needsEdit, mark, markExpiresAtMs } = failure
    const { tenant, account, device, last_seen_ms: receivedAtMs } = row
    const nonce = `import ${mark}`
    if ((await sql(known, [stream, seq, account, tenant, nonce])).length > 0) return 'known'
    // Of an event that is still on its way the upstream cannot know.
    if (row.forwarded === 0) return 'unknown'
    await small.useNonce(sql, nonce, markExpiresAtMs, nowMs)
    const credit = [{ tenant, account, stream, meter, count: 1 }]
    await books.takeBack(sql, 'forwarded', credit, nowMs)
    await books.book(sql, 'dead', credit, nowMs)
    const event = { tenant, account, device, stream, seq, meter, atMs, data, receivedAtMs }
    await deadLetters.add(sql, [{ event, code, detail, needsEdit }], nowMs)
    return 'buried'
  }
}
