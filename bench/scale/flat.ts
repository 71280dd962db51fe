import { v7 } from 'uuid'
import type { RelayStore } from '../../src/relay/store/contract.ts'
import { migratePostgresStore } from '../../src/relay/store/postgres/migrate-postgres-store.ts'
import { openPostgresStore } from '../../src/relay/store/postgres/open-postgres-store.ts'
import type { TestPostgres } from '../../test/support/postgres.ts'
import type { Ratio, Table } from '../contract.ts'
import { median, spreadOf } from '../harness/stats.ts'
import { makeEvents } from '../page/events.ts'
import { benchRequests } from '../subjects/meter.ts'

const BATCH_EVENTS = 20
const BATCHES_PER_ROUND = 150
const PER_STREAM = 500
const IDS_PER_DAY = 2 ** 38

export interface FlatCost {
  readonly ratios: readonly Ratio[]
  readonly table: Table
}

/** What `figures/regions.ts` finds the ratio by. */
export function flatRatioName(events: number): string {
  return `accepting beside ${events.toLocaleString('en')} events over accepting beside none`
}

/**
 * What accepting costs in an empty database and in one that holds very many events, by turns: half of them still wait
 * for the upstream, half are known as numbers of their streams alone.
 */
export async function measureFlatCost(
  database: TestPostgres,
  { events, rounds, tell }: { readonly events: number; readonly rounds: number; readonly tell: (text: string) => void },
): Promise<FlatCost> {
  const [empty, full] = await Promise.all(['empty', 'full'].map((name) => openIn(database, name)))
  if (!empty || !full) throw new Error('There are two databases.')
  tell(`seeding ${events.toLocaleString('en')} events`)
  await seed(database, events)
  tell('accepting by turns')
  const perRound: { empty: number; full: number }[] = []
  for (let round = -1; round < rounds; round++) {
    const times = await acceptByTurns([empty, full])
    if (round >= 0) perRound.push({ empty: median(times[0] ?? []), full: median(times[1] ?? []) })
  }
  const sizes = await sizesOf(database, events)
  await Promise.all([empty, full].map((store) => store.close()))
  const of = (name: 'empty' | 'full'): number => median(perRound.map((round) => round[name]))
  return {
    ratios: [
      {
        name: flatRatioName(events),
        value: spreadOf(perRound.map((round) => round.full / round.empty)),
        atMost: 1.5,
      },
    ],
    table: {
      title: `Accepting ${BATCH_EVENTS} events of one device in PostgreSQL, one request at a time`,
      columns: ['', 'value'],
      rows: [['ms beside none', of('empty')], [`ms beside ${events.toLocaleString('en')}`, of('full')], ...sizes],
    },
  }
}

async function openIn(database: TestPostgres, schema: string): Promise<RelayStore> {
  await migratePostgresStore({ url: database.url, schema })
  const store = openPostgresStore({ url: database.url, schema, clock: Date.now })
  await store.check()
  return store
}

/** Rows as the relay writes them: every stream's numbers are known, and of every other the events are there too. */
async function seed(database: TestPostgres, events: number): Promise<void> {
  const streams = Math.round(events / PER_STREAM)
  const lines = makeEvents(0, PER_STREAM).map(({ atMs, data }) => `[${atMs},${JSON.stringify(data)}]`)
  const uuid = "('0193a1b2-0000-7000-8000-' || lpad(to_hex(n), 12, '0'))"
  await database.query(
    `INSERT INTO "full".streams (account, stream, tenant, device, recorded, received, rejected, forwarded, first_seen_ms,
      last_seen_ms, declared, refused, held, refused_ranges)
    SELECT 'account-' || (n % 10000), ${uuid}, 'default', 'device-' || n, $2::int8, $2::int8, 0, CASE WHEN n % 2 = 0 THEN 0 ELSE $2::int8 END,
      0, 0, '{}', '{}', '[[0,' || $2::int8 - 1 || ']]', '[]'
    FROM generate_series(1, $1::int8) n`,
    [streams, PER_STREAM],
  )
  // The parts of the body in another order each time, so that PostgreSQL cannot keep them as one.
  await database.query(
    `INSERT INTO "full".chunks (id, lane, meter, tenant, account, device, received_at_ms, count, unsettled, chars, spans, body)
    SELECT (extract(epoch FROM now())::int8 / 86400) * ${IDS_PER_DAY} + nextval('"full".chunk_ids'), $3, $3, 'default',
      'account-' || (n % 10000), 'device-' || n, 0, $2::int4, $2::int4, length(body), '[["' || ${uuid} || '",0,' || $2::int4 || ']]', body
    FROM generate_series(2, $1::int8, 2) n, LATERAL (
      SELECT string_agg(line, E'\\n' ORDER BY (place * (2 * n + 1)) % 1009) AS body
      FROM unnest($4::text[]) WITH ORDINALITY AS l(line, place)
    ) b`,
    [streams, PER_STREAM, benchRequests.name, lines],
  )
  await database.query(
    `INSERT INTO "full".lane_counts VALUES ($1, 0, (SELECT coalesce(sum(count), 0) FROM "full".chunks))`,
    [benchRequests.name],
  )
  await database.query('VACUUM ANALYZE "full".streams')
  await database.query('CHECKPOINT')
}

/** Half of the batches of new streams, half of one that goes on; ms of each. */
async function acceptByTurns(stores: readonly RelayStore[]): Promise<number[][]> {
  const times = stores.map((): number[] => [])
  const stream = v7()
  const list = makeEvents(0, BATCH_EVENTS)
  for (let n = 0; n < BATCHES_PER_ROUND; n++) {
    const own = n % 2 ? stream : v7()
    const first = n % 2 ? n * BATCH_EVENTS : 0
    const events = list.map(({ atMs, data }, index) => ({
      ...{ stream: own, seq: first + index, meter: benchRequests.name, atMs, data: JSON.stringify(data) },
    }))
    const who = { tenant: 'default', account: `account-${n}`, device: 'd', receivedAtMs: Date.now() }
    const request = { ...who, streams: [{ id: own, recorded: first + BATCH_EVENTS, dropped: {} }], events, refused: [] }
    const entries = [...stores.entries()]
    for (const [index, store] of n % 2 ? entries : entries.toReversed()) {
      const began = performance.now()
      await store.accept(request)
      times[index]?.push(performance.now() - began)
    }
  }
  return times
}

async function sizesOf(database: TestPostgres, events: number): Promise<[string, number][]> {
  const [row] = await database.query<{ streams: string; n: string; chunks: string; waiting: string }>(
    `SELECT pg_total_relation_size('"full".streams') AS streams, (SELECT count(*) FROM "full".streams) AS n,
      (SELECT sum(pg_total_relation_size(inhrelid)) FROM pg_inherits WHERE inhparent = '"full".chunks'::regclass) AS chunks,
      (SELECT sum(count) FROM "full".chunks) AS waiting`,
  )
  const { streams = 0, n = 0, chunks = 0, waiting = 0 } = row ?? {}
  return [
    ['bytes for each stream, with its indexes', Number(streams) / Number(n)],
    ['bytes for each event that waits', Number(chunks) / Number(waiting)],
    ['bytes for each event that was ever taken', (Number(streams) + Number(chunks)) / events],
  ]
}
