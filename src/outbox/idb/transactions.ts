import type { Tables } from '../core/tables.ts'
import type { Connection } from './connection.ts'
import type { Copies } from './copies.ts'
import type { Presence } from './presence.ts'
import type { Store } from './schema.ts'
import { idbTables, TABLE_STORES } from './tables.ts'
import { transact } from './transact.ts'

/** Works on the rows of an outbox, in one transaction over these stores; by default those that claims and settlements touch. */
export type Transact = <T>(work: (tables: Tables) => Promise<T> | T, stores?: readonly Store[]) => Promise<T>

export function transactions(
  connection: Connection,
  presence: Presence,
  copies: Copies,
): { read: Transact; write: Transact } {
  const within =
    (mode: 'readonly' | 'readwrite'): Transact =>
    (work, stores = TABLE_STORES) =>
      connection.run((database) => {
        const { signal } = presence
        return transact(database, { stores, mode, signal }, (transaction, bare) =>
          work(idbTables(transaction, bare, copies)),
        )
      })
  return { read: within('readonly'), write: within('readwrite') }
}
