import type { LedgerRow } from '../contract.ts'
import type { Credit, Outcome } from '../core/outcomes.ts'
import { NEVER, type StreamRow, toLedgerRow, toState } from '../core/stream-row.ts'
import { balance, type StreamState } from '../core/stream-state.ts'
import { columns, quoted, type Sql } from './sql.ts'
import { addTotals, type TotalsChange } from './totals.ts'

export type StreamKey = Pick<StreamState, 'account' | 'stream' | 'tenant'>

/** A stream before and after a transaction; the row of `before` is locked, or there is none yet. */
export interface StreamChange {
  readonly before: StreamState
  readonly after: StreamState
}

export interface Streams {
  /** The stored states, their rows locked until the transaction ends, in one order for all processes. */
  lock(sql: Sql, keys: readonly StreamKey[]): Promise<StreamState[]>
  /** Writes changed states and the totals. A new stream that another process has made meanwhile is a collision. */
  save(sql: Sql, changes: readonly StreamChange[]): Promise<unknown>
  /** Adds to (or takes from) what became of the streams' events, and to the totals. */
  credit(sql: Sql, outcome: Outcome, credits: readonly Credit[], sign: 1 | -1): Promise<unknown>
  ledger(sql: Sql, filter: { account?: string; stream?: string; limit?: number }): Promise<LedgerRow[]>
}

const MAX_LEDGER_ROWS = 1_000
const COLUMNS = `account, stream, tenant, device, recorded, received, rejected, deduplicated, on_hold, first_seen_ms,
  last_seen_ms, declared, refused, held, refused_ranges, clock`
const GIVEN = `unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::int8[], $6::int8[], $7::int8[], $8::int8[],
  $9::int8[], $10::int8[], $11::int8[], $12::text[], $13::text[], $14::text[], $15::text[], $16::text[])
  AS v(${COLUMNS})`

export function createStreams(schema: string): Streams {
  const table = `${quoted(schema)}.streams`
  const find = `
    SELECT t.* FROM ${table} t
    JOIN unnest($1::text[], $2::text[], $3::text[]) AS v(account, stream, tenant) USING (account, stream, tenant)
    ORDER BY t.account, t.stream, t.tenant FOR UPDATE OF t`
  const insert = `
    INSERT INTO ${table} (${COLUMNS}) SELECT ${COLUMNS} FROM ${GIVEN}
    ORDER BY account COLLATE "C", stream COLLATE "C", tenant COLLATE "C"`
  const update = `
    UPDATE ${table} t SET recorded = v.recorded, received = v.received, rejected = v.rejected,
      deduplicated = v.deduplicated, on_hold = v.on_hold, last_seen_ms = v.last_seen_ms, declared = v.declared,
      refused = v.refused, held = v.held, refused_ranges = v.refused_ranges, clock = v.clock
    FROM ${GIVEN}
    WHERE t.account = v.account AND t.stream = v.stream AND t.tenant = v.tenant`

  return {
    async lock(sql, keys) {
      const given = columns(
        keys,
        (key) => key.account,
        (key) => key.stream,
        (key) => key.tenant,
      )
      return (await sql<StreamRow>(find, given)).map(toState)
    },
    save(sql, changes) {
      const { made = [], known = [] } = Object.groupBy(changes, ({ before }) =>
        before.lastSeenMs === NEVER ? 'made' : 'known',
      )
      const written = [
        ...(made.length === 0 ? [] : [sql(insert, toColumns(made))]),
        ...(known.length === 0 ? [] : [sql(update, toColumns(known))]),
      ]
      return Promise.all([...written, addTotals(sql, schema, changeOf(changes))])
    },
    credit(sql, outcome, credits, sign) {
      const sum = credits.reduce((total, { count }) => total + sign * count, 0)
      const given = columns(
        credits,
        ({ account }) => account,
        ({ stream }) => stream,
        ({ tenant }) => tenant,
        ({ count }) => sign * count,
      )
      const add = `
        WITH v AS (
          SELECT account, stream, tenant, sum(n)::int8 AS n
          FROM unnest($1::text[], $2::text[], $3::text[], $4::int8[]) AS g(account, stream, tenant, n) GROUP BY 1, 2, 3
        ), locked AS MATERIALIZED (
          SELECT t.account, t.stream, t.tenant, v.n FROM ${table} t JOIN v USING (account, stream, tenant)
          ORDER BY t.account, t.stream, t.tenant FOR UPDATE OF t
        )
        UPDATE ${table} t SET ${outcome} = t.${outcome} + l.n FROM locked l
        WHERE t.account = l.account AND t.stream = l.stream AND t.tenant = l.tenant`
      return Promise.all([sql(add, given), addTotals(sql, schema, { [outcome]: sum })])
    },
    async ledger(sql, { account, stream, limit = MAX_LEDGER_ROWS }) {
      const where = [
        ...(account === undefined ? [] : ['account = $2']),
        ...(stream === undefined ? [] : [`stream = $${account === undefined ? 2 : 3}`]),
      ]
      const given = [limit, account, stream].filter((value) => value !== undefined)
      const condition = where.length === 0 ? '' : `WHERE ${where.join(' AND ')}`
      const rows = await sql<StreamRow>(`SELECT * FROM ${table} ${condition} ORDER BY stream DESC LIMIT $1`, given)
      return rows.map((row) => toLedgerRow(toState(row)))
    },
  }
}

function toColumns(changes: readonly StreamChange[]): unknown[][] {
  const rows = changes.map(({ after }) => ({ ...after, ...balance(after), tallies: after }))
  return columns(
    rows,
    (row) => row.account,
    (row) => row.stream,
    (row) => row.tenant,
    (row) => row.device,
    (row) => row.recorded,
    (row) => row.received,
    (row) => row.rejected,
    (row) => row.deduplicated,
    (row) => row.onHold,
    (row) => row.firstSeenMs,
    (row) => row.lastSeenMs,
    ({ tallies }) => JSON.stringify(tallies.declared),
    (row) => JSON.stringify(row.refused),
    (row) => JSON.stringify(row.held),
    (row) => JSON.stringify(row.refusedRanges),
    (row) => (row.clock === undefined ? null : JSON.stringify(row.clock)),
  )
}

function changeOf(changes: readonly StreamChange[]): TotalsChange {
  const change = { streams: 0, recorded: 0, received: 0, declared: 0, rejected: 0, missing: 0 }
  let deduplicated = 0
  let onHold = 0
  for (const { before, after } of changes) {
    const then = balance(before)
    const now = balance(after)
    if (before.lastSeenMs === NEVER) change.streams++
    for (const key of ['recorded', 'received', 'declared', 'rejected', 'missing'] as const) {
      change[key] += now[key] - then[key]
    }
    deduplicated += after.deduplicated - before.deduplicated
    onHold += after.onHold - before.onHold
  }
  return { ...change, deduplicated, on_hold: onHold }
}
