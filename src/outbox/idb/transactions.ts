import { wrap } from 'idb'
import type { Tables } from '../core/tables.ts'
import type { Connection } from './connection.ts'
import type { Presence } from './presence.ts'
import type { Database, Store } from './schema.ts'
import { idbTables, TABLE_STORES } from './tables.ts'
import { transact } from './transact.ts'

/** The same wrapper each time. */
export function wrapped(database: IDBDatabase): Database {
  return wrap(database) as unknown as Database
}

/** Works on the rows of an outbox, in one transaction over these stores; by default those that claims and settlements touch. */
export type Transact = <T>(work: (tables: Tables) => Promise<T> | T, stores?: readonly Store[]) => Promise<T>

export function transactions(connection: Connection, presence: Presence): { read: Transact; write: Transact } {
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
