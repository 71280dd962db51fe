import { unwrap, wrap } from 'idb'
import { abort } from './commit-at-once.ts'
import { rootCause } from './root-cause.ts'
import type { Database, Store, Transaction } from './schema.ts'

export interface TransactOptions {
  readonly stores: readonly Store[]
  readonly mode: 'readonly' | 'readwrite'
  /** Ends the transaction, which then rejects with the signal's reason. */
  readonly signal?: AbortSignal
}

/** The same wrapper each time. */
export function wrapped(database: IDBDatabase): Database {
  return wrap(database) as unknown as Database
}

/**
 * One transaction, all or nothing: starts `work` at once and resolves with its result once the browser has reported that
 * the transaction is complete. `work` waits for nothing but requests of this transaction, or for nothing at all. What it
 * writes survives the death of the process. It reads by `transaction`, and writes by `bare`: a write needs no promise,
 * since one that fails ends its transaction, which says why.
 */
export async function transact<T>(
  database: IDBDatabase,
  { stores, mode, signal }: TransactOptions,
  work: (transaction: Transaction, bare: IDBTransaction) => Promise<T> | T,
): Promise<T> {
  signal?.throwIfAborted()
  const transaction = wrapped(database).transaction([...stores], mode, { durability: 'relaxed' }) as Transaction
  const bare = unwrap(transaction) as unknown as IDBTransaction
  // Its error may come before the transaction knows the cause.
  transaction.done.catch(() => {})
  /** Resolves with why it was not completed; undefined when it was. */
  const ended = new Promise<unknown>((resolve) => {
    bare.oncomplete = () => resolve(undefined)
    bare.onabort = () => resolve(bare.error ?? new DOMException('The transaction ended.', 'AbortError'))
  })
  const leave = () => abort(bare)
  signal?.addEventListener('abort', leave)
  const failures: unknown[] = []
  try {
    const started = work(transaction, bare)
    // Work that has issued its last request is committed in this very turn: the page may be gone in the next one.
    if (!(started instanceof Promise)) bare.commit()
    const result = await started
    const failure = await ended
    if (failure === undefined) return result
    failures.push(failure)
  } catch (error) {
    abort(bare)
    failures.push(error, await ended)
  } finally {
    signal?.removeEventListener('abort', leave)
  }
  signal?.throwIfAborted()
  throw rootCause(failures)
}
