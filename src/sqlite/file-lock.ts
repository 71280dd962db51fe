import { existsSync, readdirSync, statSync, unlinkSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { troubleOf } from './errors.ts'

/** A lock in hand. */
export interface FileLock {
  /** Gives it back, and removes its file. */
  release(): void
}

/** Tries to get a new name: another process may look, for a moment, whether the lock is still held. */
const MAX_TRIES = 20

/**
 * Takes the lock that a file stands for; undefined while somebody else holds it. Node has no call for the operating
 * system's file locks, but SQLite uses them, on every system: an empty database in a write transaction is a lock that
 * ends with its process (or worker thread), however it dies, and of which nothing is ever written.
 *
 * Throws what the file system or SQLite throws when there can be no such file.
 */
export function takeFileLock(path: string): FileLock | undefined {
  for (let tries = 0; tries < MAX_TRIES; tries++) {
    const db = lockedDatabase(path)
    if (!db) return undefined
    // Removed by a sweep that came first: a lock on a file that nobody finds is none.
    if (existsSync(path)) return lockOf(db, path)
    db.close()
  }
  return undefined
}

/** Whether somebody holds the lock of this file. The file of one who died is removed. */
export function isFileLockHeld(path: string): boolean {
  const before = inodeOf(path)
  if (before === undefined) return false
  const db = lockedDatabase(path)
  if (!db) return inodeOf(path) !== undefined
  // Not if it is another file by now: that one may be held.
  if (inodeOf(path) === before) lockOf(db, path).release()
  else db.close()
  return false
}

/** Removes the files of locks whose holders have died. */
export function sweepFileLocks(folder: string): void {
  for (const name of readdirSync(folder)) {
    try {
      isFileLockHeld(join(folder, name))
    } catch {
      // Not one of ours.
    }
  }
}

/** Undefined while somebody else holds it. Makes the file when it is missing. */
function lockedDatabase(path: string): DatabaseSync | undefined {
  const db = new DatabaseSync(path)
  try {
    // In memory, or a journal file would come and go beside it.
    db.exec('PRAGMA busy_timeout = 0; PRAGMA journal_mode = MEMORY; BEGIN IMMEDIATE')
    return db
  } catch (error) {
    db.close()
    if (troubleOf(error) === 'busy') return undefined
    throw error
  }
}

function lockOf(db: DatabaseSync, path: string): FileLock {
  return {
    release() {
      // Removed while it is held, so that nobody else holds a file that is about to go.
      try {
        unlinkSync(path)
      } catch {
        // Some systems keep open files: the next sweep removes it.
      }
      db.close()
    },
  }
}

function inodeOf(path: string): bigint | undefined {
  return statSync(path, { bigint: true, throwIfNoEntry: false })?.ino
}
