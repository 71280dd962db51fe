import { abort } from './commit-at-once.ts'
import { rootCause } from './root-cause.ts'
import type { Database, Store, Transaction } from './schema.ts'

/** Takes a write's promise, so that its failure is not lost and needs no waiting for. */
export type Watch = (request: Promise<unknown>) => void

export interface TransactOptions {
  readonly stores: readonly Store[]
  readonly mode: 'readonly' | 'readwrite'
  /** Default relaxed: survives the death of the process; strict syncs the disk. */
  readonly durability?: 'strict' | 'relaxed'
  /** Ends the transaction, which then rejects with the signal's reason. */
  readonly signal?: AbortSignal
}

/**
 * One transaction, all or nothing: starts `work` at once and resolves with its result once the browser has reported that
 * the transaction is complete. `work` waits for nothing but requests of this transaction, or for nothing at all.
 */
export async function transact<T>(
  database: Database,
  { stores, mode, durability = 'relaxed', signal }: TransactOptions,
  work: (transaction: Transaction, watch: Watch) => Promise<T> | T,
): Promise<T> {
  signal?.throwIfAborted()
  const transaction = database.transaction([...stores], mode, { durability }) as Transaction
  const failures: unknown[] = []
  const note = (error: unknown) => void failures.push(error)
  const done = transaction.done.catch(note)
  const leave = () => abort(transaction)
  signal?.addEventListener('abort', leave)
  try {
    const started = work(transaction, (request) => void request.catch(note))
    // Work that has issued its last request is committed in this very turn: the page may be gone in the next one.
    if (!(started instanceof Promise)) transaction.commit()
    const result = await started
    await done
    if (failures.length === 0) return result
  } catch (error) {
    note(error)
    abort(transaction)
    await done
  } finally {
    signal?.removeEventListener('abort', leave)
  }
  signal?.throwIfAborted()
  throw rootCause(failures)
}
