import type { Sqlite } from '../../../sqlite/contract.ts'

/** What the relay keeps beside usage: used-up nonces, its own secrets and notes, the mark of the last health check. */
export interface SmallThings {
  /** False when the nonce was used before. */
  useNonce(nonce: string, expiresAtMs: number, nowMs: number): boolean
  readSecret(name: string): string | undefined
  /** The stored value: the given one only if there was none. */
  keepSecret(name: string, value: string, nowMs: number): string
  note(name: string): string | undefined
  setNote(name: string, value: string): void
  /** Writes, so that a disk that cannot be written to shows. */
  touch(nowMs: number): void
}

export function createSmallThings(db: Sqlite): SmallThings {
  const forget = db.prepare('DELETE FROM nonces WHERE expires_at_ms < ?')
  const useUp = db.prepare('INSERT INTO nonces (nonce, expires_at_ms) VALUES (?, ?) ON CONFLICT DO NOTHING')
  const read = db.prepare('SELECT value FROM secrets WHERE name = ?')
  const keep = db.prepare('INSERT INTO secrets (name, value, made_at_ms) VALUES (?, ?, ?) ON CONFLICT DO NOTHING')
  const readNote = db.prepare('SELECT value FROM notes WHERE name = ?')
  const writeNote = db.prepare('INSERT INTO notes VALUES (?, ?) ON CONFLICT DO UPDATE SET value = excluded.value')
  const mark = db.prepare(
    'INSERT INTO health VALUES (1, ?) ON CONFLICT DO UPDATE SET checked_at_ms = excluded.checked_at_ms',
  )

  function readSecret(name: string): string | undefined {
    return read.get(name)?.value as string | undefined
  }

  return {
    useNonce(nonce, expiresAtMs, nowMs) {
      forget.run(nowMs)
      return useUp.run(nonce, expiresAtMs).changes === 1
    },
    readSecret,
    keepSecret(name, value, nowMs) {
      keep.run(name, value, nowMs)
      return readSecret(name) as string
    },
    note: (name) => readNote.get(name)?.value as string | undefined,
    setNote(name, value) {
      writeNote.run(name, value)
    },
    touch(nowMs) {
      mark.run(nowMs)
    },
  }
}
