import { abort } from './commit-at-once.ts'
import { rootCause } from './root-cause.ts'
import type { Store } from './schema.ts'

export interface TransactOptions {
  readonly stores: readonly Store[]
  readonly mode: 'readonly' | 'readwrite'
  /** Ends the transaction, which then rejects with the signal's reason. */
  readonly signal?: AbortSignal
}

/**
 * One transaction, all or nothing: starts `work` at once and resolves with its result once the browser has reported that
 * the transaction is complete. `work` waits for nothing but requests of this transaction, or for nothing at all. What it
 * writes survives the death of the process.
 */
export async function transact<T>(
  database: IDBDatabase,
  { stores, mode, signal }: TransactOptions,
  work: (transaction: IDBTransaction) => Promise<T> | T,
): Promise<T> {
  signal?.throwIfAborted()
  const transaction = database.transaction([...stores], mode, { durability: 'relaxed' })
  /** Resolves with why it was not completed; undefined when it was. */
  const ended = new Promise<unknown>((resolve) => {
    transaction.oncomplete = () => resolve(undefined)
    transaction.onabort = () => resolve(transaction.error ?? new DOMException('The transaction ended.', 'AbortError'))
  })
  const leave = () => abort(transaction)
  signal?.addEventListener('abort', leave)
  const failures: unknown[] = []
  try {
    const started = work(transaction)
    // Work that has issued its last request is committed in this very turn: the page may be gone in the next one.
    if (!(started instanceof Promise)) transaction.commit()
    const result = await started
    const failure = await ended
    if (failure === undefined) return result
    failures.push(failure)
  } catch (error) {
    abort(transaction)
    failures.push(error, await ended)
  } finally {
    signal?.removeEventListener('abort', leave)
  }
  signal?.throwIfAborted()
  throw rootCause(failures)
}
