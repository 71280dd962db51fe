import { MetertapError } from '../../../wire/errors.ts'
import type { Run } from '../core/chunk-format.ts'
import type { StoreVerdict } from '../core/verdict.ts'
import {
  type DeliveryRow,
  enter,
  enterChunk,
  type Report,
  runsByChunk,
  type StoredChunk,
  type StreamPlaces,
} from '../core/verify-places.ts'
import { type CountedRow, createStreamChecker } from '../core/verify-streams.ts'
import { openDatabase } from './database.ts'
import { cannotOpen } from './errors.ts'
import { versionOf } from './migrate.ts'
import { VERSION } from './schema.ts'
import { quoted, type Sql } from './sql.ts'
import { readTotals } from './totals.ts'

const MAX_PROBLEMS = 100
const ROWS_AT_ONCE = 500
const NO_TIMEOUT_MS = 0

/**
 * Checks a store in use without changing it, as of one moment: every event that was received and is not settled is there
 * exactly once, and all counts agree with what they count.
 *
 * @throws MetertapError bad_option when there is no store of this version, internal when it cannot be reached
 * @example const { ok, problems } = await verifyPostgresStore({ url: 'postgres://relay:secret@db.internal/usage' })
 */
export async function verifyPostgresStore(options: { url: string; schema?: string }): Promise<StoreVerdict> {
  const { url, schema = 'metertap' } = options
  const database = openDatabase({ url, maxConnections: 2, onIdleError: () => {} })
  const problems: string[] = []
  const report = (problem: string): void => {
    if (problems.length < MAX_PROBLEMS) problems.push(problem)
  }
  try {
    return await database.transaction(
      async (sql) => {
        await assertVersion(sql, schema)
        const { places, onTheWay } = await readPlaces(sql, quoted(schema), report)
        const checker = createStreamChecker(places, report)
        await each<CountedRow>(sql, `SELECT * FROM ${quoted(schema)}.streams`, (row) => checker.add(row))
        const { held: on_hold, ...totals } = await readTotals(sql, schema)
        const streams = checker.end({ ...totals, on_hold })
        return { ok: problems.length === 0, problems, streams, eventsOnTheWay: onTheWay }
      },
      { isSnapshot: true, statementTimeoutMs: NO_TIMEOUT_MS },
    )
  } catch (error) {
    throw cannotOpen(error)
  } finally {
    await database.end()
  }
}

async function assertVersion(sql: Sql, schema: string): Promise<void> {
  const version = await versionOf(sql, schema)
  if (version === VERSION) return
  const message = 'The database holds no store of this version of metertap: run "metertap relay migrate" first.'
  throw new MetertapError('bad_option', message, { version, known: VERSION })
}

/** Row by row, so that a large table needs little memory. */
async function each<Row>(sql: Sql, query: string, visit: (row: Row) => void): Promise<void> {
  await sql(`DECLARE metertap_rows NO SCROLL CURSOR FOR ${query}`)
  for (;;) {
    const rows = await sql<Row>(`FETCH ${ROWS_AT_ONCE} FROM metertap_rows`)
    for (const row of rows) visit(row)
    if (rows.length < ROWS_AT_ONCE) break
  }
  await sql('CLOSE metertap_rows')
}

/** Reads all chunks, deliveries and dead letters, and reports what does not fit together. */
async function readPlaces(
  sql: Sql,
  s: string,
  report: Report,
): Promise<{ places: Map<string, StreamPlaces>; onTheWay: number }> {
  const places = new Map<string, StreamPlaces>()
  const deliveries = `SELECT id, lane, rows, runs, length(body) = 0 AS empty FROM ${s}.deliveries`
  const runs = runsByChunk(await sql<DeliveryRow>(deliveries), report)
  const waiting = new Map<string, number>()
  let onTheWay = 0
  await each<StoredChunk & { cut: number }>(sql, `SELECT * FROM ${s}.chunks ORDER BY id`, (chunk) => {
    const { id, lane, cut, count } = chunk
    const open = [...(runs.get(id) ?? []), { lane, run: [id, cut, count] as Run }]
    runs.delete(id)
    for (const { lane: of } of open) if (of !== lane) report(`A delivery of ${of} holds events of ${lane}.`)
    const own = open.map(({ run }) => run)
    onTheWay += enterChunk(chunk, own, 'onTheWay', places, report)
    waiting.set(lane, (waiting.get(lane) ?? 0) + count - cut)
  })
  for (const id of runs.keys()) report(`A delivery holds events of chunk ${id}, which is not there.`)
  const counts = `SELECT lane, sum(waiting)::int8 AS counted FROM ${s}.lane_counts GROUP BY lane`
  for (const { lane, counted } of await sql<{ lane: string; counted: number }>(counts)) {
    const found = waiting.get(lane) ?? 0
    if (found !== counted) report(`Lane ${lane} counts ${counted} events that wait; there are ${found}.`)
  }
  await each<StoredChunk>(sql, `SELECT * FROM ${s}.held_chunks`, (row) => {
    enterChunk({ ...row, unsettled: row.count }, [[row.id, 0, row.count]], 'held', places, report)
  })
  const letters = `SELECT tenant, account, stream, seq FROM ${s}.dead_letters`
  await each<{ tenant: string; account: string; stream: string; seq: number }>(sql, letters, (row) => {
    enter(row, [row.seq, row.seq], 'dead', places, report)
  })
  return { places, onTheWay }
}
