import { chmodSync, closeSync, existsSync, fsyncSync, mkdirSync, openSync } from 'node:fs'
import { dirname } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import type { Sqlite } from '../../sqlite/contract.ts'
import { nodeSqlite } from '../../sqlite/node.ts'

/** How long a call waits, and with it its whole program, for another process that writes: such a write takes some ms. */
const BUSY_TIMEOUT_MS = 1_000
/** After a checkpoint the log is cut back to this, so that one burst does not keep its size for ever. */
const MAX_IDLE_LOG_BYTES = 16 * 1024 * 1024

/** An open file, and how to make a transaction of it survive a power cut. */
export interface OutboxFile {
  readonly db: Sqlite
  synced<T>(transaction: () => T): T
}

/**
 * Opens, or makes, the file in a folder that is made, too, both for their owner only. In WAL mode a commit survives the
 * death of the process without a sync; synced() adds the sync.
 *
 * Throws what the file system and SQLite throw.
 */
export function openOutboxFile(path: string): OutboxFile {
  const folder = dirname(path)
  mkdirSync(folder, { recursive: true, mode: 0o700 })
  const isNew = !existsSync(path)
  // SQLite gives its log the mode of the database, so the mode is set before anything is written.
  if (isNew) createPrivately(path)
  const file = new DatabaseSync(path, { timeout: BUSY_TIMEOUT_MS })
  try {
    file.exec(`PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA journal_size_limit = ${MAX_IDLE_LOG_BYTES};
      PRAGMA fullfsync = ON; PRAGMA checkpoint_fullfsync = ON`)
    if (isNew) syncFolder(folder)
  } catch (error) {
    file.close()
    throw error
  }
  return {
    db: nodeSqlite(file),
    synced(transaction) {
      file.exec('PRAGMA synchronous = FULL')
      try {
        return transaction()
      } finally {
        file.exec('PRAGMA synchronous = NORMAL')
      }
    },
  }
}

function createPrivately(path: string): void {
  closeSync(openSync(path, 'a', 0o600))
  chmodSync(path, 0o600)
}

/** Or a power cut could take the file's name, and with it what was synced. */
function syncFolder(folder: string): void {
  try {
    const handle = openSync(folder, 'r')
    fsyncSync(handle)
    closeSync(handle)
  } catch {
    // Some systems know no such thing.
  }
}
