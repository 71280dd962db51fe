import type { SqliteRow } from '../../../sqlite/contract.ts'
import { digestOf } from '../postgres/idempotency-keys.ts'

/** How a table of the SQLite store becomes one of the PostgreSQL store. */
export interface CopiedTable {
  readonly name: string
  /** Rows in the order of `key`, whose columns tell how far the copy has come. */
  readonly select: string
  readonly key: readonly string[]
  /** The target's table, and its columns with their types. */
  readonly into: string
  readonly columns: Readonly<Record<string, string>>
  /** Default: the row as it is. */
  readonly convert?: (row: SqliteRow) => Record<string, unknown>
  /** The days (since 1970) whose partitions the rows need, and of which table. */
  readonly days?: { readonly table: 'hours' | 'keys'; readonly of: (row: SqliteRow) => number }
}

const OWNER = { tenant: 'text', account: 'text', device: 'text' }
const CHUNK = { meter: 'text', ...OWNER, received_at_ms: 'int8', count: 'int4', spans: 'text', body: 'text' }
const COUNTS = { forwarded: 'int8', dead: 'int8', deduplicated: 'int8' }

const STREAMS: CopiedTable = {
  ...{ name: 'streams', into: 'streams', select: 'SELECT * FROM streams', key: ['account', 'stream', 'tenant'] },
  columns: {
    ...{ ...OWNER, stream: 'text', recorded: 'int8', received: 'int8', rejected: 'int8', ...COUNTS },
    ...{ discarded: 'int8', on_hold: 'int8', first_seen_ms: 'int8', last_seen_ms: 'int8', declared: 'text' },
    ...{ refused: 'text', held: 'text', refused_ranges: 'text', clock: 'text' },
  },
}

// Chunks keep their ids, which are those of the first day of all: before every chunk that comes later.
const CHUNKS: CopiedTable = {
  ...{ name: 'chunks', into: 'chunks', key: ['id'] },
  select: `SELECT c.*, length(c.body) AS chars,
    CASE WHEN c.id < l.chunk THEN c.count WHEN c.id = l.chunk THEN l.position ELSE 0 END AS cut
    FROM chunks c JOIN lanes l USING (lane)`,
  columns: { id: 'int8', lane: 'text', ...CHUNK, unsettled: 'int4', chars: 'int4', cut: 'int4' },
}

const DELIVERIES: CopiedTable = {
  ...{ name: 'deliveries', into: 'deliveries', key: ['id'] },
  select: `SELECT d.*, coalesce((SELECT received_at_ms FROM chunks c WHERE c.id = d.first_chunk), 0) AS oldest_received_ms
    FROM deliveries d`,
  columns: {
    ...{ id: 'text', lane: 'text', first_chunk: 'int8', first_position: 'int4', oldest_received_ms: 'int8' },
    ...{ rows: 'int4', bytes: 'int8', attempts: 'int4', owner: 'text', lease_until_ms: 'int8', claimed_at_ms: 'int8' },
    ...{ not_before_ms: 'int8', oldest_at_ms: 'float8', doubt_since_ms: 'int8', parked_reason: 'text' },
    ...{ parked_at_ms: 'int8', last_error: 'text', runs: 'text', body: 'bytea' },
  },
  // Bytes in JSON, as PostgreSQL reads them.
  convert: (row) => ({ ...row, body: `\\x${Buffer.from(row.body as Uint8Array).toString('hex')}` }),
}

const HOURS: CopiedTable = {
  ...{ name: 'hours', into: 'hours', key: ['hour', 'account', 'meter', 'tenant'] },
  select: 'SELECT *, 0 AS shard FROM hours',
  columns: {
    ...{ hour: 'int8', account: 'text', meter: 'text', tenant: 'text', shard: 'int2', received: 'int8', ...COUNTS },
    import_failed: 'int8',
  },
  days: { table: 'hours', of: ({ hour }) => Math.floor(Number(hour) / 24) },
}

/** All but the keys, whose tables are found in the file. */
const TABLES: readonly CopiedTable[] = [
  STREAMS,
  CHUNKS,
  {
    ...{ name: 'held_chunks', into: 'held_chunks', select: 'SELECT * FROM held_chunks', key: ['id'] },
    columns: { id: 'int8', ...CHUNK },
  },
  DELIVERIES,
  {
    ...{ name: 'dead_letters', into: 'dead_letters', select: 'SELECT * FROM dead_letters', key: ['id'] },
    columns: {
      ...{ id: 'int8', ...OWNER, stream: 'text', seq: 'int8', meter: 'text', at_ms: 'float8', data: 'text' },
      ...{ original_data: 'text', needs_edit: 'boolean', received_at_ms: 'int8', code: 'text', detail: 'text' },
      died_at_ms: 'int8',
    },
    convert: (row) => ({ ...row, needs_edit: row.needs_edit === 1 }),
  },
  HOURS,
  {
    ...{ name: 'lanes', into: 'lanes', select: 'SELECT * FROM lanes', key: ['lane'] },
    columns: { lane: 'text', paused_reason: 'text', paused_at_ms: 'int8' },
  },
  {
    ...{ name: 'lanes, what waits', into: 'lane_counts', select: 'SELECT *, 0 AS shard FROM lanes', key: ['lane'] },
    columns: { lane: 'text', shard: 'int2', waiting: 'int8' },
  },
  {
    ...{ name: 'nonces', into: 'nonces', select: 'SELECT * FROM nonces', key: ['nonce'] },
    columns: { nonce: 'text', expires_at_ms: 'int8' },
  },
  {
    ...{ name: 'secrets', into: 'secrets', select: 'SELECT * FROM secrets', key: ['name'] },
    columns: { name: 'text', value: 'text', made_at_ms: 'int8' },
  },
  {
    ...{ name: 'revocations', into: 'revocations', select: 'SELECT * FROM revocations' },
    ...{ key: ['tenant', 'account', 'device'], columns: { ...OWNER, before_ms: 'int8' } },
  },
  {
    ...{ name: 'notes', into: 'notes', select: 'SELECT * FROM notes', key: ['name'] },
    columns: { name: 'text', value: 'text' },
  },
  {
    ...{ name: 'totals', into: 'totals', select: 'SELECT *, 0 AS shard FROM totals', key: ['shard'] },
    columns: {
      ...{ shard: 'int2', streams: 'float8', recorded: 'float8', received: 'float8', declared: 'float8' },
      ...{ rejected: 'float8', forwarded: 'float8', dead: 'float8', discarded: 'float8', deduplicated: 'float8' },
      ...{ on_hold: 'float8', missing: 'float8' },
    },
  },
]

/** Everything there is to copy, in order; `keyTables` are the file's tables of idempotency keys. */
export function copiedTables(keyTables: readonly string[]): CopiedTable[] {
  return [...TABLES, ...keyTables.map(keysOf)]
}

function keysOf(name: string): CopiedTable {
  const [year, month, date] = [name.slice(5, 9), name.slice(9, 11), name.slice(11)]
  const day = Date.UTC(Number(year), Number(month) - 1, Number(date)) / 86_400_000
  return {
    ...{ name, into: 'keys', select: `SELECT * FROM ${name}`, key: ['account', 'key', 'tenant'] },
    columns: { digest: 'uuid', day: 'int4' },
    convert: ({ tenant, account, key }) => ({
      digest: digestOf({ tenant: String(tenant), account: String(account) }, String(key)),
      day,
    }),
    days: { table: 'keys', of: () => day },
  }
}
