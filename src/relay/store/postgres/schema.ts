/**
 * One entry per version; the table `version` says how many a schema has had. An entry that was released never changes.
 * `:s` stands for the schema. Every relay of one database may run at once: no row is written by all of them.
 *
 * - streams: one row per stream for ever: a watermark and the few ranges above it. Updates stay in their page (HOT).
 * - totals, lane_counts, hours: counters in shards, by the backend that writes; read as sums.
 * - chunks: one row per accepted batch and meter, by day; `cut` says how many of its events are in deliveries. An id is
 *   the day times 2^38 plus a number of a sequence, so ids ascend and tell their partition.
 * - keys: digests of idempotency keys by the day they came in. `key_day` holds the one day that keys are entered under.
 */
export const MIGRATIONS: readonly string[] = [
  `
  CREATE TABLE :s.streams (
    account text COLLATE "C" NOT NULL,
    stream text COLLATE "C" NOT NULL,
    tenant text COLLATE "C" NOT NULL,
    device text NOT NULL,
    recorded int8 NOT NULL,
    received int8 NOT NULL,
    rejected int8 NOT NULL,
    forwarded int8 NOT NULL DEFAULT 0,
    dead int8 NOT NULL DEFAULT 0,
    discarded int8 NOT NULL DEFAULT 0,
    deduplicated int8 NOT NULL DEFAULT 0,
    on_hold int8 NOT NULL DEFAULT 0,
    first_seen_ms int8 NOT NULL,
    last_seen_ms int8 NOT NULL,
    declared text NOT NULL,
    refused text NOT NULL,
    held text NOT NULL,
    refused_ranges text NOT NULL,
    clock text,
    is_open boolean NOT NULL GENERATED ALWAYS AS (recorded > received + rejected) STORED,
    PRIMARY KEY (account, stream, tenant)
  ) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.02);
  CREATE INDEX streams_by_stream ON :s.streams (stream);
  CREATE INDEX streams_open ON :s.streams (account, stream) WHERE is_open;

  CREATE TABLE :s.totals (
    shard int2 PRIMARY KEY,
    streams float8 NOT NULL DEFAULT 0,
    recorded float8 NOT NULL DEFAULT 0,
    received float8 NOT NULL DEFAULT 0,
    declared float8 NOT NULL DEFAULT 0,
    rejected float8 NOT NULL DEFAULT 0,
    forwarded float8 NOT NULL DEFAULT 0,
    dead float8 NOT NULL DEFAULT 0,
    discarded float8 NOT NULL DEFAULT 0,
    deduplicated float8 NOT NULL DEFAULT 0,
    on_hold float8 NOT NULL DEFAULT 0,
    missing float8 NOT NULL DEFAULT 0
  ) WITH (fillfactor = 20);

  CREATE TABLE :s.lanes (
    lane text COLLATE "C" PRIMARY KEY,
    paused_reason text,
    paused_at_ms int8
  );
  CREATE TABLE :s.lane_counts (
    lane text COLLATE "C" NOT NULL,
    shard int2 NOT NULL,
    waiting int8 NOT NULL,
    PRIMARY KEY (lane, shard)
  ) WITH (fillfactor = 20);

  CREATE SEQUENCE :s.chunk_ids MINVALUE 0 MAXVALUE 274877906943 CYCLE;
  CREATE TABLE :s.chunks (
    id int8 NOT NULL PRIMARY KEY,
    lane text COLLATE "C" NOT NULL,
    meter text NOT NULL,
    tenant text NOT NULL,
    account text NOT NULL,
    device text NOT NULL,
    received_at_ms int8 NOT NULL,
    count int4 NOT NULL,
    unsettled int4 NOT NULL CHECK (unsettled BETWEEN 1 AND count),
    cut int4 NOT NULL DEFAULT 0 CHECK (cut BETWEEN 0 AND count),
    chars int4 NOT NULL,
    spans text NOT NULL,
    body text NOT NULL
  ) PARTITION BY RANGE (id);
  CREATE INDEX chunks_waiting ON :s.chunks (lane, id) WHERE cut < count;

  CREATE TABLE :s.held_chunks (
    id int8 GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    meter text NOT NULL,
    tenant text NOT NULL,
    account text NOT NULL,
    device text NOT NULL,
    received_at_ms int8 NOT NULL,
    count int4 NOT NULL CHECK (count > 0),
    spans text NOT NULL,
    body text NOT NULL
  );
  CREATE INDEX held_chunks_by_account ON :s.held_chunks (account, tenant, id);

  CREATE TABLE :s.deliveries (
    id text COLLATE "C" PRIMARY KEY,
    lane text COLLATE "C" NOT NULL,
    first_chunk int8 NOT NULL,
    first_position int4 NOT NULL,
    oldest_received_ms int8 NOT NULL,
    rows int4 NOT NULL,
    bytes int8 NOT NULL,
    attempts int4 NOT NULL DEFAULT 0,
    owner text,
    lease_until_ms int8 NOT NULL DEFAULT 0,
    claimed_at_ms int8,
    not_before_ms int8 NOT NULL DEFAULT 0,
    oldest_at_ms float8 NOT NULL,
    doubt_since_ms int8,
    parked_reason text,
    parked_at_ms int8,
    last_error text,
    runs text NOT NULL,
    body bytea NOT NULL
  );
  ALTER TABLE :s.deliveries ALTER COLUMN body SET STORAGE EXTERNAL;
  CREATE INDEX deliveries_by_age ON :s.deliveries (lane, first_chunk, first_position);

  CREATE TABLE :s.dead_letters (
    id int8 GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant text NOT NULL,
    account text NOT NULL,
    device text NOT NULL,
    stream text COLLATE "C" NOT NULL,
    seq int8 NOT NULL,
    meter text NOT NULL,
    at_ms float8 NOT NULL,
    data text NOT NULL,
    original_data text,
    needs_edit boolean NOT NULL DEFAULT false,
    received_at_ms int8 NOT NULL,
    code text NOT NULL,
    detail text NOT NULL,
    died_at_ms int8 NOT NULL
  );
  CREATE INDEX dead_letters_by_event ON :s.dead_letters (stream, seq);

  CREATE TABLE :s.hours (
    hour int8 NOT NULL,
    account text COLLATE "C" NOT NULL,
    meter text COLLATE "C" NOT NULL,
    tenant text COLLATE "C" NOT NULL,
    shard int2 NOT NULL,
    received int8 NOT NULL DEFAULT 0,
    forwarded int8 NOT NULL DEFAULT 0,
    import_failed int8 NOT NULL DEFAULT 0,
    dead int8 NOT NULL DEFAULT 0,
    deduplicated int8 NOT NULL DEFAULT 0,
    PRIMARY KEY (account, hour, meter, tenant, shard)
  ) PARTITION BY RANGE (hour);

  CREATE TABLE :s.keys (
    digest uuid NOT NULL,
    day int4 NOT NULL,
    PRIMARY KEY (digest, day)
  ) PARTITION BY RANGE (day);
  CREATE TABLE :s.key_day (one int2 PRIMARY KEY CHECK (one = 1), day int4 NOT NULL);
  INSERT INTO :s.key_day VALUES (1, -1);

  CREATE TABLE :s.nonces (nonce text COLLATE "C" PRIMARY KEY, expires_at_ms int8 NOT NULL);
  CREATE INDEX nonces_by_expiry ON :s.nonces (expires_at_ms);
  CREATE TABLE :s.secrets (name text PRIMARY KEY, value text NOT NULL, made_at_ms int8 NOT NULL);
  CREATE TABLE :s.revocations (
    tenant text NOT NULL,
    account text NOT NULL,
    device text NOT NULL,
    before_ms int8 NOT NULL,
    PRIMARY KEY (tenant, account, device)
  );
  CREATE TABLE :s.notes (name text PRIMARY KEY, value text NOT NULL);
  CREATE TABLE :s.health (one int2 PRIMARY KEY CHECK (one = 1), checked_at_ms int8 NOT NULL);
  CREATE TABLE :s.budgets (
    name text PRIMARY KEY,
    level float8 NOT NULL,
    filled_at timestamptz NOT NULL,
    held_until timestamptz
  );
  `,
]

/** What the table `version` says in a schema of this code. */
export const VERSION: number = MIGRATIONS.length
