import type { Claim, ClaimOptions, DeadLetter, Outbox } from '../contract.ts'
import { claimFrom, releaseIn } from '../core/claim.ts'
import { dropOldestIn } from '../core/drop-oldest.ts'
import { summariesOf, totalsOf } from '../core/overview.ts'
import { purgeIn } from '../core/purge.ts'
import { quarantineIn } from '../core/quarantine.ts'
import { retryDeadIn } from '../core/retry-dead.ts'
import { closeRollupsIn, openRollupsOf } from '../core/rollups.ts'
import { RETIRE_AFTER_MS } from '../core/settle.ts'
import { createFullSettling } from '../core/settle-full.ts'
import type { Stray } from '../core/state.ts'
import type { Tables } from '../core/tables.ts'
import { createAppender } from './append.ts'
import { type Connection, connect } from './connection.ts'
import type { SetTimer } from './open-database.ts'
import { type OnLifecycle, type Presence, watchPresence } from './presence.ts'
import type { Store } from './schema.ts'
import { idbTables, QUARANTINE_STORES, ROLLUP_STORES, TABLE_STORES } from './tables.ts'
import { transact } from './transact.ts'

export interface IdbOutboxDeps {
  /** The database's name; all tabs of an origin that use one name share one outbox. Default 'metertap'. */
  readonly name?: string
  readonly indexedDB: IDBFactory | undefined
  /** Makes the installation's id, such as a UUID; used once in the outbox's life. */
  readonly random: () => string
  /** Wall clock, ms since 1970. */
  readonly clock: () => number
  /** Calls back after a delay; gives what cancels it. Without it, an open request that is never answered waits for ever. */
  readonly setTimer?: SetTimer
  /** Tells when the page is put away and shown again. Without it, the page's sleep may stop other pages. */
  readonly onLifecycle?: OnLifecycle
  /** Called when a lost connection could not be opened again; calls still try, each time. */
  readonly onBroken?: (error: unknown) => void
}

/**
 * An outbox in IndexedDB, shared by all tabs and workers of the origin. Receipts say 'process', or 'power' for a strict
 * group. A connection that the browser closed is opened again by the next call.
 *
 * Rejects with code 'outbox_unavailable' when IndexedDB is absent, forbidden, silent for 10 s, blocked by an older tab for
 * 3 s, or already upgraded by a newer one. A lost connection is opened again, up to 3 times for one call. Calls reject with 'outbox_unavailable', with 'outbox_full' when the browser grants no more
 * storage, and with 'closed' after close(). An append that rejects has stored nothing; only when the connection was lost
 * in the very moment of its commit, and could not be opened again, it is in doubt.
 *
 * @example const outbox = await openIdbOutbox({ indexedDB, random: () => crypto.randomUUID(), clock: Date.now })
 */
export async function openIdbOutbox(deps: IdbOutboxDeps): Promise<Outbox> {
  const { name = 'metertap', indexedDB, random, clock, onBroken, onLifecycle, setTimer } = deps
  const connection = await connect({ name, indexedDB, onBroken, setTimer })
  const presence = watchPresence(onLifecycle)
  const { read, write } = transactions(connection, presence)
  const settling = createFullSettling(write, RETIRE_AFTER_MS)

  /** Best effort: what could not be set aside, for want of room above all, is met and passed over again. */
  const setAside = async (strays: readonly Stray[]): Promise<boolean> => {
    if (strays.length === 0) return false
    try {
      await write((tables) => quarantineIn(tables, strays, clock()), QUARANTINE_STORES)
      return true
    } catch {
      return false
    }
  }

  const claim = async (options: ClaimOptions): Promise<Claim | undefined> => {
    const transaction = options.leaseMs > 0 ? write : read
    const claimed = await transaction((tables) => claimFrom(settling.view(tables), options))
    const isMoved = await setAside(claimed.strays)
    // The reports tell of what was just set aside; and behind a bound of it there may be more.
    return isMoved && !claimed.claim?.segments.length ? claim(options) : claimed.claim
  }

  return {
    durability: 'process',
    append: createAppender(connection, clock),
    claim,
    settle: settling.settle,
    release: (claim) => write((tables) => releaseIn(tables, claim)),
    purge: (options) => write((tables) => purgeIn(tables, options), ROLLUP_STORES),
    dropOldest: (options) => write((tables) => dropOldestIn(tables, options)),
    closeRollups: async ({ streams }) => {
      const { closed, strays } = await write((tables) => closeRollupsIn(tables, streams), ROLLUP_STORES)
      await setAside(strays)
      return closed
    },
    openRollups: () => read(openRollupsOf, ['rollups']),
    totals: () => read((tables) => totalsOf(settling.view(tables))),
    streams: () => read((tables) => summariesOf(settling.view(tables))),
    deadLetters: () => connection.run((database) => database.getAll('dead')),
    deleteDeadLetters: (letters) => deleteDeadLetters(connection, letters),
    retryDeadLetters: (letters) => write((tables) => retryDeadIn(tables, letters)),
    quarantined: () => connection.run((database) => database.getAll('quarantine')),
    deviceId: () => deviceId(connection, random),
    async close() {
      presence.stop()
      connection.close()
    },
  }
}

type Transact = <T>(work: (tables: Tables) => Promise<T> | T, stores?: readonly Store[]) => Promise<T>

function transactions(connection: Connection, presence: Presence): { read: Transact; write: Transact } {
  const within =
    (mode: 'readonly' | 'readwrite'): Transact =>
    (work, stores = TABLE_STORES) =>
      connection.run((database) => {
        const { signal } = presence
        return transact(database, { stores, mode, signal }, (transaction, watch) => work(idbTables(transaction, watch)))
      })
  return { read: within('readonly'), write: within('readwrite') }
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
