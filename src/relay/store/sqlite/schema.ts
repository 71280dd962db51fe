import type { Sqlite } from '../../../sqlite/contract.ts'
import { MetertapError } from '../../../wire/errors.ts'

/**
 * One entry per version; the version mark says how many a store has had. An entry that was released never changes.
 *
 * - chunks: one row per accepted batch and meter. `body` is one line `[at,data]` per event; `spans` is JSON
 *   `[[stream, first, count], …]` in the same order. Ids are never reused: a lane's cursor only moves up.
 * - lanes: `chunk` and `position` name the first event that no delivery was cut from yet.
 * - deliveries: `runs` is JSON `[[chunk, from, until], …]`, positions in the chunk, `until` exclusive.
 * - held_chunks: chunks on hold. Released ones become new chunks, since the cursors are past their ids.
 * - hours: changes of the ledger by hour; `hour` is hours since 1970.
 * - keys_YYYYMMDD, made and dropped as days go by: idempotency keys by the day they came in (see idempotency-keys.ts).
 */
const MIGRATIONS: readonly string[] = [
  `
  CREATE TABLE streams (
    account TEXT NOT NULL,
    stream TEXT NOT NULL,
    tenant TEXT NOT NULL,
    device TEXT NOT NULL,
    recorded INTEGER NOT NULL,
    received INTEGER NOT NULL,
    rejected INTEGER NOT NULL,
    forwarded INTEGER NOT NULL,
    dead INTEGER NOT NULL,
    discarded INTEGER NOT NULL DEFAULT 0,
    deduplicated INTEGER NOT NULL DEFAULT 0,
    on_hold INTEGER NOT NULL DEFAULT 0,
    first_seen_ms INTEGER NOT NULL,
    last_seen_ms INTEGER NOT NULL,
    declared TEXT NOT NULL,
    refused TEXT NOT NULL,
    held TEXT NOT NULL,
    refused_ranges TEXT NOT NULL,
    clock TEXT,
    PRIMARY KEY (account, stream, tenant)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX streams_by_stream ON streams (stream);
  CREATE INDEX streams_open ON streams (last_seen_ms) WHERE recorded > received + rejected;

  CREATE TABLE totals (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    streams REAL NOT NULL DEFAULT 0,
    recorded REAL NOT NULL DEFAULT 0,
    received REAL NOT NULL DEFAULT 0,
    declared REAL NOT NULL DEFAULT 0,
    rejected REAL NOT NULL DEFAULT 0,
    forwarded REAL NOT NULL DEFAULT 0,
    dead REAL NOT NULL DEFAULT 0,
    discarded REAL NOT NULL DEFAULT 0,
    deduplicated REAL NOT NULL DEFAULT 0,
    on_hold REAL NOT NULL DEFAULT 0,
    missing REAL NOT NULL DEFAULT 0
  ) STRICT;
  INSERT INTO totals (one) VALUES (1);

  CREATE TABLE lanes (
    lane TEXT PRIMARY KEY,
    chunk INTEGER NOT NULL DEFAULT 0,
    position INTEGER NOT NULL DEFAULT 0,
    waiting INTEGER NOT NULL DEFAULT 0,
    paused_reason TEXT,
    paused_at_ms INTEGER
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE chunks (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    lane TEXT NOT NULL REFERENCES lanes,
    meter TEXT NOT NULL,
    tenant TEXT NOT NULL,
    account TEXT NOT NULL,
    device TEXT NOT NULL,
    received_at_ms INTEGER NOT NULL,
    count INTEGER NOT NULL,
    unsettled INTEGER NOT NULL CHECK (unsettled BETWEEN 1 AND count),
    spans TEXT NOT NULL,
    body TEXT NOT NULL
  ) STRICT;
  CREATE INDEX chunks_by_lane ON chunks (lane);

  CREATE TABLE held_chunks (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    meter TEXT NOT NULL,
    tenant TEXT NOT NULL,
    account TEXT NOT NULL,
    device TEXT NOT NULL,
    received_at_ms INTEGER NOT NULL,
    count INTEGER NOT NULL CHECK (count > 0),
    spans TEXT NOT NULL,
    body TEXT NOT NULL
  ) STRICT;
  CREATE INDEX held_chunks_by_account ON held_chunks (account, tenant, meter, received_at_ms, count);

  CREATE TABLE deliveries (
    id TEXT PRIMARY KEY,
    lane TEXT NOT NULL REFERENCES lanes,
    first_chunk INTEGER NOT NULL,
    first_position INTEGER NOT NULL,
    rows INTEGER NOT NULL,
    bytes INTEGER NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0,
    owner TEXT,
    lease_until_ms INTEGER NOT NULL DEFAULT 0,
    claimed_at_ms INTEGER,
    not_before_ms INTEGER NOT NULL DEFAULT 0,
    oldest_at_ms REAL NOT NULL,
    doubt_since_ms INTEGER,
    parked_reason TEXT,
    parked_at_ms INTEGER,
    last_error TEXT,
    runs TEXT NOT NULL,
    body BLOB NOT NULL
  ) STRICT;
  CREATE INDEX deliveries_by_age ON deliveries (lane, first_chunk, first_position, rows, parked_at_ms);

  CREATE TABLE dead_letters (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    tenant TEXT NOT NULL,
    account TEXT NOT NULL,
    device TEXT NOT NULL,
    stream TEXT NOT NULL,
    seq INTEGER NOT NULL,
    meter TEXT NOT NULL,
    at_ms REAL NOT NULL,
    data TEXT NOT NULL,
    original_data TEXT,
    needs_edit INTEGER NOT NULL DEFAULT 0,
    received_at_ms INTEGER NOT NULL,
    code TEXT NOT NULL,
    detail TEXT NOT NULL,
    died_at_ms INTEGER NOT NULL
  ) STRICT;
  CREATE INDEX dead_letters_by_event ON dead_letters (stream, seq);

  CREATE TABLE hours (
    hour INTEGER NOT NULL,
    account TEXT NOT NULL,
    meter TEXT NOT NULL,
    tenant TEXT NOT NULL,
    received INTEGER NOT NULL DEFAULT 0,
    forwarded INTEGER NOT NULL DEFAULT 0,
    import_failed INTEGER NOT NULL DEFAULT 0,
    dead INTEGER NOT NULL DEFAULT 0,
    deduplicated INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (hour, account, meter, tenant)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX hours_by_account ON hours (account, hour);

  CREATE TABLE nonces (nonce TEXT PRIMARY KEY, expires_at_ms INTEGER NOT NULL) STRICT, WITHOUT ROWID;
  CREATE INDEX nonces_by_expiry ON nonces (expires_at_ms);
  CREATE TABLE secrets (name TEXT PRIMARY KEY, value TEXT NOT NULL, made_at_ms INTEGER NOT NULL) STRICT, WITHOUT ROWID;
  CREATE TABLE revocations (
    tenant TEXT NOT NULL,
    account TEXT NOT NULL,
    device TEXT NOT NULL,
    before_ms INTEGER NOT NULL,
    PRIMARY KEY (tenant, account, device)
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE notes (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;
  CREATE TABLE health (one INTEGER PRIMARY KEY CHECK (one = 1), checked_at_ms INTEGER NOT NULL) STRICT;
  `,
]

/** The version of a store of this code: `user_version` in a file. */
export const VERSION: number = MIGRATIONS.length

/** Where a store keeps its version. */
export interface VersionMark {
  get(): number
  set(version: number): void
}

/** Brings the store to this code's version; refuses one that newer code has written. */
export function migrate(db: Sqlite, mark: VersionMark): void {
  db.transaction(() => {
    const version = mark.get()
    if (version > VERSION) {
      const message = 'The store was written by a newer metertap: run that version, or restore an older copy.'
      throw new MetertapError('bad_option', message, { version, known: VERSION })
    }
    for (const migration of MIGRATIONS.slice(version)) db.exec(migration)
    mark.set(VERSION)
  })
}
