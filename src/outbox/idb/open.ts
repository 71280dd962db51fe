import type { DeadLetter, Outbox } from '../contract.ts'
import { claimFrom, releaseIn } from '../core/claim.ts'
import { summariesOf, totalsOf } from '../core/overview.ts'
import { purgeIn } from '../core/purge.ts'
import { settleIn } from '../core/settle.ts'
import type { Tables } from '../core/tables.ts'
import { createAppender, RETIRE_AFTER_MS } from './append.ts'
import { type Connection, connect } from './connection.ts'
import { idbTables, TABLE_STORES } from './tables.ts'
import { transact } from './transact.ts'

export interface IdbOutboxDeps {
  /** The database's name; all tabs of an origin that use one name share one outbox. Default 'metertap'. */
  readonly name?: string
  readonly indexedDB: IDBFactory | undefined
  /** Makes the installation's id, such as a UUID; used once in the outbox's life. */
  readonly random: () => string
  /** Wall clock, ms since 1970. */
  readonly clock: () => number
  /** Called when a lost connection could not be opened again; calls still try, each time. */
  readonly onBroken?: (error: unknown) => void
}

/**
 * An outbox in IndexedDB, shared by all tabs and workers of the origin. Receipts say 'process', or 'power' for a strict
 * group. A connection that the browser closed is opened again by the next call.
 *
 * Rejects with code 'outbox_unavailable' when IndexedDB is absent, forbidden, blocked by an older tab or already
 * upgraded by a newer one. Calls reject with 'outbox_unavailable', with 'outbox_full' when the browser grants no more
 * storage, and with 'closed' after close(). An append that rejects has stored nothing; only when the connection was lost
 * in the very moment of its commit, and could not be opened again, it is in doubt.
 *
 * @example const outbox = await openIdbOutbox({ indexedDB, random: () => crypto.randomUUID(), clock: Date.now })
 */
export async function openIdbOutbox(deps: IdbOutboxDeps): Promise<Outbox> {
  const { name = 'metertap', indexedDB, random, clock, onBroken } = deps
  const connection = await connect({ name, indexedDB, onBroken })
  const inTables = <T>(mode: 'readonly' | 'readwrite', work: (tables: Tables) => Promise<T>): Promise<T> =>
    connection.run((database) =>
      transact(database, { stores: TABLE_STORES, mode }, (transaction, watch) => work(idbTables(transaction, watch))),
    )
  return {
    durability: 'process',
    append: createAppender(connection, clock),
    claim: (options) =>
      inTables(options.leaseMs > 0 ? 'readwrite' : 'readonly', (tables) => claimFrom(tables, options)),
    settle: (settlement) => inTables('readwrite', (tables) => settleIn(tables, settlement, RETIRE_AFTER_MS)),
    release: (claim) => inTables('readwrite', async (tables) => releaseIn(tables, claim)),
    purge: (options) => inTables('readwrite', (tables) => purgeIn(tables, options)),
    totals: () => inTables('readonly', totalsOf),
    streams: () => inTables('readonly', summariesOf),
    deadLetters: () => connection.run((database) => database.getAll('dead')),
    deleteDeadLetters: (letters) => deleteDeadLetters(connection, letters),
    deviceId: () => deviceId(connection, random),
    close: async () => connection.close(),
  }
}

function deleteDeadLetters(
  connection: Connection,
  letters: readonly Pick<DeadLetter, 'stream' | 'seq'>[],
): Promise<void> {
  return connection.run((database) =>
    transact(database, { stores: ['dead'], mode: 'readwrite' }, (transaction, watch) => {
      for (const { stream, seq } of letters) watch(transaction.objectStore('dead').delete([stream, seq]))
    }),
  )
}

function deviceId(connection: Connection, random: () => string): Promise<string> {
  return connection.run((database) =>
    transact(database, { stores: ['meta'], mode: 'readwrite' }, async (transaction, watch) => {
      const meta = transaction.objectStore('meta')
      const known = await meta.get('deviceId')
      if (known !== undefined) return known
      const made = random()
      watch(meta.put(made, 'deviceId'))
      return made
    }),
  )
}
