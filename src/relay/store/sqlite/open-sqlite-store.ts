import { v7 } from 'uuid'
import { nodeSqlite } from '../../../sqlite/node.ts'
import { MetertapError } from '../../../wire/errors.ts'
import type { RelayStore } from '../contract.ts'
import { backUp } from './back-up.ts'
import { openDatabase } from './database.ts'
import { createGroupCommit } from './group-commit.ts'
import { createStoreMethods } from './store-methods.ts'
import { createStoreParts } from './store-parts.ts'

export interface SqliteStoreOptions {
  /** The database file; `<path>-wal` and `<path>-shm` stand beside it. Its folder must exist. */
  readonly path: string
  /** Wall clock, ms. */
  readonly clock: () => number
  /** How many separate ranges of numbers a stream may have. Default 1,000. */
  readonly maxRangesPerStream?: number
  /**
   * For at least so many days an idempotency key is known. Default 61: the relay takes events 60 days old and a day ahead.
   */
  readonly idempotencyWindowDays?: number
  /** How many days the ledger by hour reaches back. Default 100. */
  readonly hourlyDays?: number
  /** Makes ids of deliveries: UUIDs. Default version 7. */
  readonly newId?: () => string
}

/**
 * The relay's store in one SQLite file. Calls of one event-loop turn share one transaction and one disk sync;
 * a promise resolves after both. Every method rejects with MetertapError `closed` after close(), and with `internal`
 * (see its cause) when SQLite fails: then nothing of the call was kept.
 *
 * @throws MetertapError bad_option when the file cannot be used
 * @example const store = openSqliteStore({ path: '/var/lib/metertap/relay.db', clock: Date.now })
 */
export function openSqliteStore(options: SqliteStoreOptions): RelayStore {
  const { path, clock, maxRangesPerStream: maxRanges = 1_000, newId = () => v7() } = options
  const { idempotencyWindowDays = 61, hourlyDays = 100 } = options
  const db = openDatabase(path)
  const group = createGroupCommit(db)
  const version = db.prepare('PRAGMA schema_version')
  const schemaVersion = () => version.get()?.schema_version
  const parts = createStoreParts(nodeSqlite(db), { newId, idempotencyWindowDays, hourlyDays, schemaVersion })
  let isClosed = false

  async function write<T>(job: () => T): Promise<T> {
    assertOpen()
    return group.run(job)
  }

  async function read<T>(job: () => T): Promise<T> {
    assertOpen()
    return job()
  }

  function assertOpen(): void {
    if (isClosed) throw new MetertapError('closed', 'The store is closed: open it again.')
  }

  return {
    ...createStoreMethods(parts, { write, read, clock, maxRanges }),
    async backup(to) {
      assertOpen()
      await backUp(path, to)
    },
    async close() {
      if (isClosed) return
      isClosed = true
      group.flush()
      db.close()
    },
  }
}
