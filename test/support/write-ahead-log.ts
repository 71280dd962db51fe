import { existsSync, readFileSync } from 'node:fs'

/** Commits in a database's write-ahead log since it was last reset: frames that carry a database size end a transaction. */
export function commitsIn(databasePath: string): number {
  const wal = `${databasePath}-wal`
  if (!existsSync(wal)) return 0
  const bytes = readFileSync(wal)
  if (bytes.length < 32) return 0
  const pageSize = bytes.readUInt32BE(8)
  const salt = bytes.subarray(16, 24)
  let found = 0
  for (let at = 32; at + 24 + pageSize <= bytes.length; at += 24 + pageSize) {
    const isCurrent = bytes.subarray(at + 8, at + 16).equals(salt)
    if (isCurrent && bytes.readUInt32BE(at + 4) > 0) found++
  }
  return found
}
