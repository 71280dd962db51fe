import type { Sqlite } from '../../sqlite/contract.ts'
import { MetertapError } from '../../wire/errors.ts'

/** Each brings a database from the version before to the next; never change one that has been released. */
const MIGRATIONS: readonly string[] = [
  `CREATE TABLE segments (
     stream TEXT NOT NULL, first INTEGER NOT NULL, count INTEGER NOT NULL, bytes INTEGER NOT NULL, body TEXT NOT NULL,
     seal INTEGER, PRIMARY KEY (stream, first)
   );
   CREATE TABLE streams (stream TEXT PRIMARY KEY, row TEXT NOT NULL) WITHOUT ROWID;
   CREATE TABLE progress (stream TEXT PRIMARY KEY, row TEXT NOT NULL) WITHOUT ROWID;
   CREATE TABLE hidden (
     stream TEXT NOT NULL, first INTEGER NOT NULL, count INTEGER NOT NULL,
     hiddenAtMs INTEGER NOT NULL, visibleAtMs INTEGER NOT NULL, owner TEXT,
     PRIMARY KEY (stream, first)
   ) WITHOUT ROWID;
   CREATE TABLE dead (stream TEXT NOT NULL, seq INTEGER NOT NULL, row TEXT NOT NULL, PRIMARY KEY (stream, seq));
   CREATE TABLE rollups (stream TEXT NOT NULL, seq INTEGER NOT NULL, row TEXT NOT NULL, PRIMARY KEY (stream, seq));
   CREATE TABLE quarantine (id INTEGER PRIMARY KEY, row TEXT NOT NULL)`,
]

/**
 * Brings the database to this version's shape. The version is a row, since not every engine lets a program set
 * `user_version`.
 * @throws MetertapError `outbox_unavailable` when a newer version has written it.
 */
export function migrate(db: Sqlite): void {
  db.transaction(() => {
    db.exec('CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID')
    const version = Number(db.prepare("SELECT value FROM meta WHERE key = 'version'").get()?.value ?? 0)
    if (version > MIGRATIONS.length) throw newer(version)
    if (version === MIGRATIONS.length) return
    for (const migration of MIGRATIONS.slice(version)) for (const statement of migration.split(';')) db.exec(statement)
    db.prepare("INSERT OR REPLACE INTO meta VALUES ('version', ?)").run(String(MIGRATIONS.length))
  })
}

function newer(version: number): MetertapError {
  const text = `A newer version of this software has written the outbox (version ${version}, this one knows ${MIGRATIONS.length}). Update this program.`
  return new MetertapError('outbox_unavailable', text, { version, known: MIGRATIONS.length })
}
