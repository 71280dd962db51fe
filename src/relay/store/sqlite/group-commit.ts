import type { DatabaseSync } from 'node:sqlite'
import { MetertapError } from '../../../wire/errors.ts'

export interface GroupCommit {
  /**
   * Runs the job inside the next transaction and resolves with its result once that transaction is committed and
   * synced. Jobs of one event-loop turn share a transaction; a job that throws is rolled back alone.
   */
  run<T>(job: () => T): Promise<T>
  /** Runs what waits, now. */
  flush(): void
}

interface Waiting {
  readonly job: () => unknown
  readonly resolve: (value: unknown) => void
  readonly reject: (error: unknown) => void
  /** What tells the caller how it went; set while the transaction is open. */
  settle?: () => void
}

/** One disk sync costs more than the work of many requests: whatever has come by then goes into one transaction. */
export function createGroupCommit(db: DatabaseSync): GroupCommit {
  let waiting: Waiting[] = []

  function flush(): void {
    const group = waiting
    waiting = []
    if (group.length === 0) return
    try {
      db.exec('BEGIN IMMEDIATE')
      for (const entry of group) runAlone(db, entry)
      db.exec('COMMIT')
    } catch (error) {
      rollBack(db)
      const failure = storeFailed(error)
      for (const { reject } of group) reject(failure)
      return
    }
    for (const { settle } of group) settle?.()
  }

  return {
    run<T>(job: () => T): Promise<T> {
      return new Promise<T>((resolve, reject) => {
        if (waiting.length === 0) setImmediate(flush)
        waiting.push({ job, resolve: resolve as (value: unknown) => void, reject })
      })
    },
    flush,
  }
}

function runAlone(db: DatabaseSync, entry: Waiting): void {
  db.exec('SAVEPOINT job')
  try {
    const result = entry.job()
    entry.settle = () => entry.resolve(result)
  } catch (error) {
    // Throws when SQLite has already given up the whole transaction (a full disk does that): then nobody is told "stored".
    db.exec('ROLLBACK TO job')
    entry.settle = () => entry.reject(error instanceof MetertapError ? error : storeFailed(error))
  }
  db.exec('RELEASE job')
}

function rollBack(db: DatabaseSync): void {
  try {
    db.exec('ROLLBACK')
  } catch {
    // There is no transaction any more, which is what was wanted.
  }
}

function storeFailed(cause: unknown): MetertapError {
  const message = 'The store did not write this: nothing of it was kept. See the cause; then send it again.'
  return new MetertapError('internal', message, {}, cause)
}
