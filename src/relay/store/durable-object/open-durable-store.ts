import { v7 } from 'uuid'
import type { Sqlite } from '../../../sqlite/contract.ts'
import { type DurableObjectSql, durableObjectSqlite } from '../../../sqlite/durable-object.ts'
import { MetertapError } from '../../../wire/errors.ts'
import type { RelayStore } from '../contract.ts'
import { migrate } from '../sqlite/schema.ts'
import { createStoreMethods } from '../sqlite/store-methods.ts'
import { createStoreParts } from '../sqlite/store-parts.ts'
import { createTurnCommit } from './turn-commit.ts'

export interface DurableStoreOptions {
  /** The object's `ctx.storage`; its class must be a SQLite one. */
  readonly storage: DurableObjectSql
  /** Wall clock, ms. */
  readonly clock: () => number
  /** How many separate ranges of numbers a stream may have. Default 1,000. */
  readonly maxRangesPerStream?: number
  /** For at least so many days an idempotency key is known. Default 61. */
  readonly idempotencyWindowDays?: number
  /** How many days the ledger by hour reaches back. Default 100. */
  readonly hourlyDays?: number
  /** Makes ids of deliveries: UUIDs. Default version 7. */
  readonly newId?: () => string
}

/** A row of a Durable Object has 2 MB at most: a body of this many characters has 1.5 MB, and its spans stand beside it. */
const MAX_CHUNK_CHARS = 500_000

/**
 * The relay's store in the SQLite of one Durable Object. Calls that arrive together share one commit, each in a
 * transaction of its own; the engine lets no answer out of the object before they are safe. Every method rejects with MetertapError
 * `closed` after close(), and with `internal` (see its cause) when SQLite fails: then nothing of the call was kept.
 *
 * @throws MetertapError bad_option when newer code has written the store
 * @example const store = openDurableStore({ storage: ctx.storage, clock: Date.now })
 */
export function openDurableStore(options: DurableStoreOptions): RelayStore {
  const { storage, clock, maxRangesPerStream: maxRanges = 1_000, newId = () => v7() } = options
  const { idempotencyWindowDays = 61, hourlyDays = 100 } = options
  const db = durableObjectSqlite(storage)
  migrateObject(db)
  let rollbacks = 0
  let isClosed = false
  const turns = createTurnCommit((callback) => setTimeout(callback, 0))
  const parts = createStoreParts(db, {
    ...{ newId, idempotencyWindowDays, hourlyDays, maxChunkChars: MAX_CHUNK_CHARS },
    // Nobody else has the object: only a rollback can undo what was made.
    schemaVersion: () => rollbacks,
  })

  function assertOpen(): void {
    if (isClosed) throw new MetertapError('closed', 'The store is closed: open it again.')
  }

  function runAlone<T>(job: () => T): T {
    try {
      return db.transaction(job)
    } catch (error) {
      rollbacks++
      if (error instanceof MetertapError) throw error
      const message = 'The store did not write this: nothing of it was kept. See the cause; then send it again.'
      throw new MetertapError('internal', message, {}, error)
    }
  }

  async function write<T>(job: () => T): Promise<T> {
    assertOpen()
    return await turns.run(() => runAlone(job))
  }

  async function read<T>(job: () => T): Promise<T> {
    assertOpen()
    return job()
  }

  return {
    ...createStoreMethods(parts, { write, read, clock, maxRanges }),
    async backup() {
      const message = 'A Durable Object has no files: use point-in-time recovery of its storage.'
      throw new MetertapError('bad_option', message)
    },
    async close() {
      isClosed = true
      turns.flush()
    },
  }
}

/**
 * Ends the claims of deliveries that an earlier instance of the object left: it is gone, since there is never more than
 * one. What it had begun stays in doubt.
 */
export function endEarlierClaims(storage: DurableObjectSql): void {
  durableObjectSqlite(storage).prepare('UPDATE deliveries SET lease_until_ms = 0 WHERE lease_until_ms > 0').run()
}

/** The engine keeps `user_version` to itself, so the version has a table. */
function migrateObject(db: Sqlite): void {
  db.exec(
    'CREATE TABLE IF NOT EXISTS store_version (one INTEGER PRIMARY KEY CHECK (one = 1), version INTEGER NOT NULL)',
  )
  const read = db.prepare('SELECT version FROM store_version')
  const write = db.prepare(
    'INSERT INTO store_version VALUES (1, ?) ON CONFLICT DO UPDATE SET version = excluded.version',
  )
  migrate(db, { get: () => Number(read.get()?.version ?? 0), set: (version) => void write.run(version) })
}
