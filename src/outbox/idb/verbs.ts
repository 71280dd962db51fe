import { wrap } from 'idb'
import type { Claim, ClaimOptions, DeadLetter, Outbox } from '../contract.ts'
import { claimFrom, releaseIn } from '../core/claim.ts'
import { dropOldestIn } from '../core/drop-oldest.ts'
import { summariesOf, totalsOf } from '../core/overview.ts'
import { purgeIn } from '../core/purge.ts'
import { quarantineIn } from '../core/quarantine.ts'
import { restoreIn } from '../core/restore.ts'
import { RETIRE_AFTER_MS } from '../core/retire-after.ts'
import { retryDeadIn } from '../core/retry-dead.ts'
import { closeRollupsIn, openRollupsOf } from '../core/rollups.ts'
import { createFullSettling } from '../core/settle-full.ts'
import type { Stray } from '../core/state.ts'
import type { Tables } from '../core/tables.ts'
import type { Connection } from './connection.ts'
import type { IdbHome } from './home.ts'
import type { Presence } from './presence.ts'
import { revive } from './revive.ts'
import type { Database, Store } from './schema.ts'
import { idbTables, QUARANTINE_STORES, ROLLUP_STORES, TABLE_STORES } from './tables.ts'
import { transact } from './transact.ts'

/** The whole outbox over an open database. */
export function idbOutbox(home: IdbHome): Outbox {
  const { connection, presence, append, close } = home
  const { random, clock } = home.deps
  home.revive = (stored) => revive(connection, stored)
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
    append,
    restore: (group) => write((tables) => restoreIn(tables, group), ROLLUP_STORES),
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
    deadLetters: () => connection.run((database) => wrapped(database).getAll('dead')),
    deleteDeadLetters: (letters) => deleteDeadLetters(connection, letters),
    retryDeadLetters: (letters) => write((tables) => retryDeadIn(tables, letters)),
    quarantined: () => connection.run((database) => wrapped(database).getAll('quarantine')),
    deviceId: () => deviceId(connection, random),
    close,
  }
}

/** The same wrapper each time. */
function wrapped(database: IDBDatabase): Database {
  return wrap(database) as unknown as Database
}

type Transact = <T>(work: (tables: Tables) => Promise<T> | T, stores?: readonly Store[]) => Promise<T>

function transactions(connection: Connection, presence: Presence): { read: Transact; write: Transact } {
  const within =
    (mode: 'readonly' | 'readwrite'): Transact =>
    (work, stores = TABLE_STORES) =>
      connection.run((database) => {
        const { signal } = presence
        return transact(wrapped(database), { stores, mode, signal }, (transaction, watch) =>
          work(idbTables(transaction, watch)),
        )
      })
  return { read: within('readonly'), write: within('readwrite') }
}

function deleteDeadLetters(
  connection: Connection,
  letters: readonly Pick<DeadLetter, 'stream' | 'seq'>[],
): Promise<void> {
  return connection.run((database) =>
    transact(wrapped(database), { stores: ['dead'], mode: 'readwrite' }, (transaction, watch) => {
      for (const { stream, seq } of letters) watch(transaction.objectStore('dead').delete([stream, seq]))
    }),
  )
}

function deviceId(connection: Connection, random: () => string): Promise<string> {
  return connection.run((database) =>
    transact(wrapped(database), { stores: ['meta'], mode: 'readwrite' }, async (transaction, watch) => {
      const meta = transaction.objectStore('meta')
      const known = await meta.get('deviceId')
      if (known !== undefined) return known
      const made = random()
      watch(meta.put(made, 'deviceId'))
      return made
    }),
  )
}
