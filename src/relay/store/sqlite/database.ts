import { chmodSync, closeSync, openSync } from 'node:fs'
import { DatabaseSync } from 'node:sqlite'
import { nodeSqlite } from '../../../sqlite/node.ts'
import { MetertapError } from '../../../wire/errors.ts'
import { migrate } from './schema.ts'

const BUSY_TIMEOUT_MS = 5_000
/** After a checkpoint the write-ahead log is cut back to this, so one huge batch does not keep its size for ever. */
const MAX_IDLE_WAL_BYTES = 64 * 1024 * 1024

/**
 * Opens (or makes) the file so that a commit that has returned survives a power cut: WAL, synchronous FULL.
 * The file and its companions are readable by their owner only.
 *
 * @throws MetertapError bad_option when the path cannot hold such a database
 */
export function openDatabase(path: string): DatabaseSync {
  if (path === '' || path.startsWith(':memory:') || path.startsWith('file:')) {
    throw new MetertapError('bad_option', 'The store needs the path of a file: what it acknowledges must last.', {
      path,
    })
  }
  try {
    // SQLite gives the log files the mode of the database file, so the mode is set before anything is written.
    closeSync(openSync(path, 'a', 0o600))
    chmodSync(path, 0o600)
    return configure(new DatabaseSync(path, { timeout: BUSY_TIMEOUT_MS, enableForeignKeyConstraints: true }))
  } catch (error) {
    if (error instanceof MetertapError) throw error
    const message = 'The store cannot be opened: check that its folder exists, is writable and is on a local disk.'
    throw new MetertapError('bad_option', message, { path }, error)
  }
}

function configure(db: DatabaseSync): DatabaseSync {
  try {
    const mode = db.prepare('PRAGMA journal_mode = WAL').get()?.journal_mode
    if (mode !== 'wal') throw new Error(`journal mode ${mode} instead of WAL`)
    db.exec('PRAGMA synchronous = FULL; PRAGMA fullfsync = ON; PRAGMA checkpoint_fullfsync = ON')
    db.exec(`PRAGMA journal_size_limit = ${MAX_IDLE_WAL_BYTES}`)
    migrate(nodeSqlite(db), {
      get: () => Number(db.prepare('PRAGMA user_version').get()?.user_version),
      set: (version) => db.exec(`PRAGMA user_version = ${version}`),
    })
    return db
  } catch (error) {
    db.close()
    throw error
  }
}
