import { allSettled } from '../core/progress.ts'
import type { Stored } from './append.ts'
import { commitAtOnce } from './commit-at-once.ts'
import type { Connection } from './connection.ts'

/**
 * A stream that was idle for long may have been forgotten by another tab. The append that follows writes its head
 * again; this puts back the progress that belongs to it. Its transaction was created first, so it runs first.
 */
export function revive(connection: Connection, { head, atMs }: Stored): void {
  connection
    .run((database) =>
      commitAtOnce(database, ['streams', 'progress'], 'relaxed', (transaction) => {
        const known = transaction.objectStore('streams').get(head.stream)
        known.onsuccess = () => {
          if (known.result === undefined) transaction.objectStore('progress').put(allSettled(head, atMs))
        }
        return false
      }),
    )
    // The append meets the same fate, and reports it.
    .catch(() => undefined)
}
