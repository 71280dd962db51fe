import type { Sqlite } from '../../sqlite/contract.ts'
import { MetertapError } from '../../wire/errors.ts'
import type { Claim, ClaimOptions, Durability, Outbox } from '../contract.ts'
import { claimFrom, releaseIn } from '../core/claim.ts'
import { dropOldestIn } from '../core/drop-oldest.ts'
import { openRollupsOf } from '../core/open-rollups.ts'
import { summariesOf, totalsOf } from '../core/overview.ts'
import { purgeIn } from '../core/purge.ts'
import { quarantineIn } from '../core/quarantine.ts'
import { restoreIn } from '../core/restore.ts'
import { RETIRE_AFTER_MS } from '../core/retire-after.ts'
import { retryDeadIn } from '../core/retry-dead.ts'
import { closeRollupsIn } from '../core/rollups.ts'
import { createFullSettling } from '../core/settle-full.ts'
import type { Stray } from '../core/state.ts'
import type { Tables } from '../core/tables.ts'
import { createAppender } from './append.ts'
import { endDeadLeases, type LeaseHolders } from './leases.ts'
import { migrate } from './schema.ts'
import { createStatements, type Statements } from './statements.ts'
import { allDead, allQuarantined, overviewTables, sqliteTables } from './tables.ts'
import { createTurns } from './turns.ts'

export interface SqliteOutboxDeps {
  /** Closed by the outbox's close(). */
  readonly db: Sqlite
  /** Makes the installation's id, such as a UUID; used once in the outbox's life. */
  readonly random: () => string
  /** Wall clock, ms since 1970. */
  readonly clock: () => number
  /** What a commit survives on this engine. Default: plain 'process', strict 'power'. */
  readonly durability?: { readonly plain: Durability; readonly strict: Durability }
  /** Runs the transaction of a strict group so that it survives what `durability.strict` says. Default: as any other. */
  readonly synced?: <T>(transaction: () => T) => T
  /**
   * Called when there is no room even for letting go of events, which needs some itself; true when another try is worth
   * it. Default: there is nothing that can be done.
   */
  readonly relieve?: () => boolean
  /** Where several processes share the database: leases of one that died end with it. Default: they end with their time. */
  readonly holders?: LeaseHolders
}

/**
 * An outbox in SQLite, of whichever engine. Nothing in it belongs to one runtime.
 *
 * Throws what the engine throws when the database is none, and `outbox_unavailable` when a newer version has written it.
 * Calls reject with `outbox_full` when there is no room, with `outbox_unavailable` when the engine fails (`detail.trouble`
 * says how: 'busy', 'damaged', 'forbidden', 'other'), and with `closed` after close(). A call that rejects has changed
 * nothing. append() has committed before it returns; only where the engine has no interrupt() it waits for the calls
 * before.
 *
 * @example const outbox = openSqliteOutbox({ db, random: () => crypto.randomUUID(), clock: Date.now })
 */
export function openSqliteOutbox(deps: SqliteOutboxDeps): Outbox {
  const { db, random, clock, holders, synced = (transaction) => transaction(), relieve = () => false } = deps
  const { durability = { plain: 'process', strict: 'power' } } = deps
  migrate(db)
  const turns = createTurns(db, createStatements(db))
  const write = <T>(work: (tables: Tables) => Promise<T>) => turns.transact((sql) => work(sqliteTables(sql)))
  /** For calls that make room: they must not fail for want of it. */
  const freeing = <T>(call: () => Promise<T>): Promise<T> =>
    call().catch((error) => {
      if (!isFull(error) || !relieve()) throw error
      return call()
    })
  let isClosed = false

  /** Best effort: what could not be set aside, for want of room above all, is met and passed over again. */
  const setAside = async (strays: readonly Stray[]): Promise<boolean> => {
    if (strays.length === 0) return false
    try {
      await write((tables) => quarantineIn(tables, strays, clock()))
      return true
    } catch {
      return false
    }
  }

  const settling = createFullSettling(write, RETIRE_AFTER_MS, setAside)

  const claimWithin = (sql: Statements, options: ClaimOptions) => {
    endDeadLeases(sql, holders)
    return claimFrom(settling.view(sqliteTables(sql, holders?.own)), options)
  }

  const claim = async (options: ClaimOptions): Promise<Claim | undefined> => {
    const claimed = await turns
      .transact((sql) => claimWithin(sql, options))
      .catch((error) => {
        if (!isFull(error)) throw error
        // No room for a lease: without one another process may send the same, which the relay notices.
        return turns.transact((sql) => claimFrom(settling.view(sqliteTables(sql)), { ...options, leaseMs: 0 }))
      })
    const isMoved = await setAside(claimed.strays)
    // The reports tell of what was just set aside; and behind a bound of it there may be more.
    return isMoved && !claimed.claim?.segments.length ? claim(options) : claimed.claim
  }

  /** The rows that overviews need, as one moment had them. */
  const view = (sql: Statements) => settling.view(overviewTables(sql) as Tables)

  return {
    durability: durability.plain,
    append: createAppender({ db, turns, clock, durability, synced }),
    restore: (group) => write((tables) => restoreIn(tables, group)),
    claim,
    settle: (settlement) => freeing(() => settling.settle(settlement)),
    release: (given) => write(async (tables) => releaseIn(tables, given)),
    purge: (options) => freeing(() => write((tables) => purgeIn(tables, options))),
    dropOldest: (options) => freeing(() => write((tables) => dropOldestIn(tables, options))),
    closeRollups: async ({ streams }) => {
      const { closed, strays } = await write((tables) => closeRollupsIn(tables, streams))
      await setAside(strays)
      return closed
    },
    openRollups: () => turns.read((sql) => openRollupsOf(sqliteTables(sql))),
    totals: () => turns.read((sql) => totalsOf(view(sql))),
    streams: () => turns.read((sql) => summariesOf(view(sql))),
    deadLetters: () => turns.read(allDead),
    deleteDeadLetters: (letters) =>
      freeing(() =>
        write(async (tables) => {
          for (const { stream, seq } of letters) tables.deleteDead(stream, seq)
        }),
      ),
    retryDeadLetters: (letters) => write((tables) => retryDeadIn(tables, letters)),
    quarantined: () => turns.read(allQuarantined),
    deviceId: () => turns.atOnce((sql) => deviceIdOf(db, sql, random)),
    async close() {
      if (isClosed) return
      isClosed = true
      await turns.close()
      db.close()
    },
  }
}

function isFull(error: unknown): boolean {
  return error instanceof MetertapError && error.code === 'outbox_full'
}

function deviceIdOf(db: Sqlite, sql: Statements, random: () => string): string {
  const known = () => sql("SELECT value FROM meta WHERE key = 'deviceId'").get()?.value as string | undefined
  return (
    known() ??
    db.transaction(() => {
      sql("INSERT OR IGNORE INTO meta VALUES ('deviceId', ?)").run(random())
      return known() as string
    })
  )
}
