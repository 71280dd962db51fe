import type { Sqlite } from '../../../sqlite/contract.ts'
import type { AcceptRequest, LedgerRow, LedgerTotals } from '../contract.ts'
import type { Credit, Outcome } from '../core/outcomes.ts'
import { NEVER, newState, type StreamRow, toLedgerRow, toState } from '../core/stream-row.ts'
import { type Balance, balance, type StreamState } from '../core/stream-state.ts'

export interface Streams {
  /** The stored state, or a new stream's. */
  load(request: AcceptRequest, stream: string): StreamState
  /** Writes changed states; `before` tells the running totals what changed. */
  save(changes: readonly { before: StreamState; after: StreamState }[]): void
  /** Adds to (or takes from) what became of the streams' events. */
  credit(outcome: Outcome, credits: readonly Credit[], sign: 1 | -1): void
  ledger(filter: { account?: string; stream?: string; limit?: number }): LedgerRow[]
  totals(): LedgerTotals
}

const MAX_LEDGER_ROWS = 1_000

const SAVE = `
  INSERT INTO streams (account, stream, tenant, device, recorded, received, rejected, forwarded, dead,
    first_seen_ms, last_seen_ms, declared, refused, held, refused_ranges, clock)
  VALUES (?, ?, ?, ?, ?, ?, ?, 0, 0, ?, ?, ?, ?, ?, ?, ?)
  ON CONFLICT DO UPDATE SET recorded = excluded.recorded, received = excluded.received, rejected = excluded.rejected,
    last_seen_ms = excluded.last_seen_ms, declared = excluded.declared, refused = excluded.refused,
    held = excluded.held, refused_ranges = excluded.refused_ranges, clock = excluded.clock`

// Running totals: the ledger may have millions of rows, and asking for their sum must not hold up the relay.
const ADD_TOTALS = `
  UPDATE totals SET streams = streams + ?, recorded = recorded + ?, received = received + ?, declared = declared + ?,
    rejected = rejected + ?, missing = missing + ?`

const NEWEST = 'ORDER BY stream DESC LIMIT ?'

/** The streams' rows and the ledger made of them. All methods but the reading ones run inside a transaction. */
export function createStreams(db: Sqlite): Streams {
  const find = db.prepare('SELECT * FROM streams WHERE account = ? AND stream = ? AND tenant = ?')
  const write = db.prepare(SAVE)
  const addTotals = db.prepare(ADD_TOTALS)
  const credits = Object.fromEntries(OUTCOMES.map((outcome) => [outcome, creditStatements(db, outcome)])) as Record<
    Outcome,
    ReturnType<typeof creditStatements>
  >
  const all = db.prepare(`SELECT * FROM streams ${NEWEST}`)
  const ofAccount = db.prepare(`SELECT * FROM streams WHERE account = ? ${NEWEST}`)
  const ofStream = db.prepare('SELECT * FROM streams WHERE stream = ? LIMIT ?')
  const ofBoth = db.prepare('SELECT * FROM streams WHERE account = ? AND stream = ? LIMIT ?')
  const readTotals = db.prepare(`
    SELECT streams, recorded, received, declared, rejected, forwarded, dead, discarded, deduplicated, on_hold AS held,
      missing
    FROM totals`)

  function save(changes: readonly { before: StreamState; after: StreamState }[]): void {
    const change = { streams: 0, recorded: 0, received: 0, declared: 0, rejected: 0, missing: 0 }
    for (const { before, after } of changes) {
      const then = balance(before)
      const now = balance(after)
      writeState(after, now)
      if (before.lastSeenMs === NEVER) change.streams++
      for (const key of ['recorded', 'received', 'declared', 'rejected', 'missing'] as const) {
        change[key] += now[key] - then[key]
      }
    }
    const { streams, recorded, received, declared, rejected, missing } = change
    addTotals.run(streams, recorded, received, declared, rejected, missing)
  }

  function writeState(state: StreamState, { recorded, received, rejected }: Balance): void {
    const { account, stream, tenant, device, firstSeenMs, lastSeenMs } = state
    const texts = [state.declared, state.refused, state.held, state.refusedRanges].map((part) => JSON.stringify(part))
    const clock = state.clock === undefined ? null : JSON.stringify(state.clock)
    write.run(account, stream, tenant, device, recorded, received, rejected, firstSeenMs, lastSeenMs, ...texts, clock)
  }

  return {
    load(request, stream) {
      const row = find.get(request.account, stream, request.tenant)
      return row ? toState(row as unknown as StreamRow) : newState(request, stream)
    },
    save,
    credit(outcome, list, sign) {
      let sum = 0
      for (const { account, stream, tenant, count } of list) {
        credits[outcome].stream.run(sign * count, account, stream, tenant)
        sum += sign * count
      }
      credits[outcome].totals.run(sum)
    },
    ledger({ account, stream, limit = MAX_LEDGER_ROWS }) {
      const rows =
        account !== undefined && stream !== undefined
          ? ofBoth.all(account, stream, limit)
          : account !== undefined
            ? ofAccount.all(account, limit)
            : stream !== undefined
              ? ofStream.all(stream, limit)
              : all.all(limit)
      return rows.map((row) => toLedgerRow(toState(row as unknown as StreamRow)))
    },
    totals() {
      return { ...(readTotals.get() as unknown as LedgerTotals) }
    },
  }
}

const OUTCOMES: readonly Outcome[] = ['forwarded', 'dead', 'discarded', 'deduplicated', 'on_hold']

function creditStatements(db: Sqlite, column: Outcome) {
  return {
    stream: db.prepare(`UPDATE streams SET ${column} = ${column} + ? WHERE account = ? AND stream = ? AND tenant = ?`),
    totals: db.prepare(`UPDATE totals SET ${column} = ${column} + ?`),
  }
}
