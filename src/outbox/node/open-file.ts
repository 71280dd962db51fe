import { chmodSync, closeSync, existsSync, fsyncSync, mkdirSync, openSync } from 'node:fs'
import { dirname } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import type { Sqlite } from '../../sqlite/contract.ts'
import { nodeSqlite } from '../../sqlite/node.ts'
import { createReserve } from './reserve.ts'

/** How long a call waits, and with it its whole program, for another process that writes: such a write takes some ms. */
const BUSY_TIMEOUT_MS = 1_000
/** After a checkpoint the log is cut back to this, so that one burst does not keep its size for ever. */
const MAX_IDLE_LOG_BYTES = 16 * 1024 * 1024

/** The log is written back this often, in pages of 4 KiB. */
const LOG_PAGES = 512
/** Enough to write the whole log back when the disk is full, and to note down what is deleted then. */
const RESERVE_BYTES = 3 * 1024 * 1024

export interface OutboxFile {
  readonly db: Sqlite
  /** Makes a transaction survive a power cut. */
  synced<T>(transaction: () => T): T
  /** Makes some room where the disk is full, for what lets go of events; false when nothing could be done. */
  relieve(): boolean
  /** Puts that room aside again, where it was used and there is some; looks once in a while. */
  recover(): void
}

/** How long to wait before looking for room again. */
const RECOVER_EVERY_MS = 15_000
/** SQLite's own limit. */
const MAX_PAGES = 4_294_967_294

/**
 * Opens, or makes, the file in a folder that is made, too, both for their owner only. In WAL mode a commit survives the
 * death of the process without a sync; synced() adds the sync.
 *
 * Throws what the file system and SQLite throw.
 */
export function openOutboxFile(path: string, monotonic: () => number): OutboxFile {
  const folder = dirname(path)
  mkdirSync(folder, { recursive: true, mode: 0o700 })
  const isNew = !existsSync(path)
  // SQLite gives its log the mode of the database, so the mode is set before anything is written.
  if (isNew) createPrivately(path)
  const file = new DatabaseSync(path)
  try {
    file.exec(`PRAGMA busy_timeout = ${BUSY_TIMEOUT_MS}; PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;
      PRAGMA wal_autocheckpoint = ${LOG_PAGES}; PRAGMA journal_size_limit = ${MAX_IDLE_LOG_BYTES};
      PRAGMA fullfsync = ON; PRAGMA checkpoint_fullfsync = ON`)
    if (isNew) syncFolder(folder)
  } catch (error) {
    file.close()
    throw error
  }
  const reserve = createReserve(`${path}.reserve`, RESERVE_BYTES)
  let isWhole = reserve.keep()
  let lookAtMs = monotonic() + RECOVER_EVERY_MS
  return {
    db: nodeSqlite(file),
    relieve() {
      if (!reserve.spend()) return false
      isWhole = false
      // Empties the log, whose room then serves what is about to be written; and what is recorded in the meantime must
      // make do with the room that is let go of, or it would take this at once.
      file.exec('PRAGMA wal_checkpoint(TRUNCATE)')
      const { page_count: pages } = file.prepare('PRAGMA page_count').get() as { page_count: number }
      file.exec(`PRAGMA max_page_count = ${pages}`)
      return true
    },
    recover() {
      if (isWhole || monotonic() < lookAtMs) return
      lookAtMs = monotonic() + RECOVER_EVERY_MS
      isWhole = reserve.keep()
      if (isWhole) file.exec(`PRAGMA max_page_count = ${MAX_PAGES}`)
    },
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
