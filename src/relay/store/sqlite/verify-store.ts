import { DatabaseSync } from 'node:sqlite'
import { nodeSqlite } from '../../../sqlite/node.ts'
import { MetertapError } from '../../../wire/errors.ts'
import type { StoreVerdict } from '../core/verdict.ts'
import { VERSION } from './schema.ts'
import { readBacklog } from './verify-backlog.ts'
import { checkStreams } from './verify-streams.ts'

const MAX_PROBLEMS = 100

/**
 * Checks a store's file, in use or a backup, without changing it: SQLite's own integrity check, then that every event
 * which was received and is not settled is there exactly once, and that all counts agree with what they count.
 *
 * @throws MetertapError bad_option when the file is no store of this version
 * @example const { ok, problems } = await verifyStore('/var/backups/relay.db')
 */
export async function verifyStore(path: string): Promise<StoreVerdict> {
  const db = openStore(path)
  const problems: string[] = []
  const report = (problem: string): void => {
    if (problems.length < MAX_PROBLEMS) problems.push(problem)
  }
  try {
    // One transaction: a store that works on meanwhile is seen as it was at one moment.
    db.exec('BEGIN')
    checkFile(db, report)
    const sqlite = nodeSqlite(db)
    const { places, onTheWay } = readBacklog(sqlite, report)
    const streams = checkStreams(sqlite, places, report)
    return { ok: problems.length === 0, problems, streams, eventsOnTheWay: onTheWay }
  } catch (error) {
    // What cannot be read is as good as lost.
    report(`The file cannot be read through: ${error instanceof Error ? error.message : String(error)}`)
    return { ok: false, problems, streams: 0, eventsOnTheWay: 0 }
  } finally {
    db.close()
  }
}

function openStore(path: string): DatabaseSync {
  const problem = 'The file is no store of this version of metertap: give the path of the relay’s database.'
  let db: DatabaseSync | undefined
  try {
    db = new DatabaseSync(path, { readOnly: true, timeout: 5_000 })
    const version = Number(db.prepare('PRAGMA user_version').get()?.user_version)
    if (version === VERSION) return db
    throw new RangeError(`version ${version} instead of ${VERSION}`)
  } catch (error) {
    db?.close()
    throw new MetertapError('bad_option', problem, { path }, error)
  }
}

function checkFile(db: DatabaseSync, report: (problem: string) => void): void {
  for (const row of db.prepare('PRAGMA integrity_check').all()) {
    if (row.integrity_check !== 'ok') report(`SQLite: ${row.integrity_check}`)
  }
  for (const { table, rowid } of db.prepare('PRAGMA foreign_key_check').all()) {
    report(`Row ${rowid} of ${table} belongs to a lane that is not there.`)
  }
}
