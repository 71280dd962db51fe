import type { Store } from './schema.ts'

/**
 * The write path: one transaction whose requests are all issued here, and committed at once: the page may be gone in
 * the next turn. Resolves when the browser has reported that it is complete. On the bare objects, since a wrapper's
 * promise for each request would cost the page as much again. A `write` that gives false issues more when it has its
 * first answer: its transaction ends by itself.
 */
export function commitAtOnce(
  database: IDBDatabase,
  stores: readonly Store[],
  durability: 'strict' | 'relaxed',
  write: (transaction: IDBTransaction) => unknown,
): Promise<void> {
  return new Promise((resolve, reject) => {
    const transaction = database.transaction([...stores], 'readwrite', { durability })
    transaction.oncomplete = () => resolve()
    transaction.onabort = () => reject(transaction.error ?? new DOMException('The transaction ended.', 'AbortError'))
    try {
      if (write(transaction) !== false) transaction.commit()
    } catch (error) {
      reject(error)
      abort(transaction)
    }
  })
}

export function abort(transaction: Pick<IDBTransaction, 'abort'>): void {
  try {
    transaction.abort()
  } catch {
    // It has already ended, with an error that is noted.
  }
}
