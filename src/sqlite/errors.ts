/**
 * What an engine's error means: no room, another connection writes, the file is not (or no longer) a sound database,
 * it may not be opened or written, or anything else.
 */
export type SqliteTrouble = 'full' | 'busy' | 'damaged' | 'forbidden' | 'other'

/** By primary result code (https://sqlite.org/rescode.html) and by the name that stands in messages. */
const TROUBLES: readonly [code: number, name: RegExp, trouble: SqliteTrouble][] = [
  [5, /SQLITE_BUSY/, 'busy'],
  [6, /SQLITE_LOCKED/, 'busy'],
  [8, /SQLITE_READONLY/, 'forbidden'],
  [11, /SQLITE_CORRUPT/, 'damaged'],
  [13, /SQLITE_FULL|disk is full/, 'full'],
  [14, /SQLITE_CANTOPEN/, 'forbidden'],
  [26, /SQLITE_NOTADB/, 'damaged'],
]

/** By node:sqlite's `errcode`, or by the message, as a Durable Object has it. */
export function troubleOf(error: unknown): SqliteTrouble {
  const { errcode, message = '' } = (error ?? {}) as { errcode?: unknown; message?: string }
  // The low byte is the primary code.
  const found = TROUBLES.find(([code, name]) =>
    typeof errcode === 'number' ? (errcode & 0xff) === code : name.test(message),
  )
  return found?.[2] ?? 'other'
}
