/**
 * Which client the relay's PostgreSQL store uses: the statements of one accepted batch, through `pg` and through
 * `postgres`, both without named prepared statements, as PgBouncer's transaction mode wants it.
 * Usage: node bench/postgres-client.ts [transactions per round]
 *
 * What decided for `pg`: 1.28 times the transactions of `postgres` (1,517 and 1,182 a second; medians of 7 rounds by
 * turns, 2026-11-24, 2 cores that others used too, Node 24, pg 8.23, postgres 3.4, PostgreSQL 18 with fsync off). Both
 * send the statements of a transaction in two round trips.
 */
import pg from 'pg'
import postgres from 'postgres'
import { startPostgres } from '../test/support/postgres.ts'

const ROUNDS = 7
const perRound = Number(process.argv[2] ?? 400)
const AT_A_TIME = 8
const ROWS = 10
const body = '[1700000000000,{"quantity":1,"note":"a \\"quoted\\" word"}]\n'.repeat(200)
const ids = Array.from({ length: ROWS }, (_, i) => `0193a1b2-0000-7000-8000-${String(i).padStart(12, '0')}`)

const FIND = 'SELECT id, n FROM streams WHERE id = ANY($1::text[]) ORDER BY id'
const SAVE = `
  WITH saved AS (
    INSERT INTO streams SELECT * FROM unnest($1::text[], $2::int8[])
    ON CONFLICT (id) DO UPDATE SET n = streams.n + excluded.n RETURNING 1
  ) INSERT INTO chunks (body) SELECT * FROM unnest($3::text[])`
const BEGIN = 'BEGIN; SET LOCAL synchronous_commit = on; SET LOCAL lock_timeout = 5000'

type Transaction = (ids: string[], counts: number[], bodies: string[]) => Promise<unknown>

const server = await startPostgres()
const pool = new pg.Pool({ connectionString: server.url, max: AT_A_TIME, pipeline: true } as pg.PoolConfig)
// The server is stopped at the end, with connections that may still be closing.
pool.on('error', () => {})
const sql = postgres(server.url, { max: AT_A_TIME, prepare: false, onnotice: () => {} })
await pool.query('CREATE TABLE streams (id text PRIMARY KEY, n int8) WITH (fillfactor = 70)')
await pool.query('CREATE TABLE chunks (id int8 GENERATED ALWAYS AS IDENTITY PRIMARY KEY, body text)')

const withPg: Transaction = async (streams, counts, bodies) => {
  const client = await pool.connect()
  try {
    const [, found] = await Promise.all([client.query(BEGIN), client.query(FIND, [streams])])
    await Promise.all([client.query(SAVE, [streams, counts, bodies]), client.query('COMMIT')])
    return found.rows
  } finally {
    client.release()
  }
}

const withPostgres: Transaction = async (streams, counts, bodies) => {
  const connection = await sql.reserve()
  try {
    const [, found] = await Promise.all([connection.unsafe(BEGIN), connection.unsafe(FIND, [streams])])
    await Promise.all([connection.unsafe(SAVE, [streams, counts, bodies]), connection.unsafe('COMMIT')])
    return found
  } finally {
    connection.release()
  }
}

/** Transactions a second, each on streams of its own. */
async function rate(transaction: Transaction): Promise<number> {
  let left = perRound
  const began = performance.now()
  const work = async (worker: number): Promise<void> => {
    const streams = ids.map((id) => `${worker}-${id}`)
    while (left-- > 0) await transaction(streams, Array(ROWS).fill(200), Array(3).fill(body))
  }
  await Promise.all(Array.from({ length: AT_A_TIME }, (_, worker) => work(worker)))
  return (1_000 * perRound) / (performance.now() - began)
}

const clients: [string, Transaction][] = [
  ['pg', withPg],
  ['postgres', withPostgres],
]
const rates = new Map<string, number[]>(clients.map(([name]) => [name, []]))
for (const [, transaction] of clients) await rate(transaction)
for (let round = 0; round < ROUNDS; round++) {
  for (const [name, transaction] of round % 2 ? clients : clients.toReversed()) {
    rates.get(name)?.push(await rate(transaction))
  }
}
const median = (list: number[]): number => list.toSorted((a, b) => a - b)[ROUNDS >> 1] as number
const [a, b] = clients.map(([name]) => median(rates.get(name) ?? [])) as [number, number]
console.info(`pg       ${a.toFixed(0)} transactions/s\npostgres ${b.toFixed(0)} transactions/s`)
console.info(`pg / postgres = ${(a / b).toFixed(2)} (medians of ${ROUNDS} rounds by turns)`)
await pool.end()
await sql.end()
await server.stop()
