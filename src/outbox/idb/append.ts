import type { AppendGroup, Durability, StreamHead } from '../contract.ts'
import { allSettled } from '../core/accounting.ts'
import { checkGroup } from '../core/check-group.ts'
import type { Connection } from './connection.ts'
import { transact } from './transact.ts'

/** A clean stream is forgotten this long after its last event was settled. */
export const RETIRE_AFTER_MS: number = 7 * 24 * 60 * 60 * 1000
/** From this age on, a head that was written may have been forgotten; well before it can be. */
const REVIVE_AFTER_MS = RETIRE_AFTER_MS / 2

/** What this context, the owner of a stream, knows of it. */
interface Owned {
  newest: StreamHead
  stored?: { readonly head: StreamHead; readonly atMs: number }
}

/** The write path: one transaction for each group, issued and committed within the call when the connection is open. */
export function createAppender(
  connection: Connection,
  clock: () => number,
): (group: AppendGroup) => Promise<Durability> {
  const streams = new Map<string, Owned>()

  async function append(group: AppendGroup): Promise<Durability> {
    const { head, segments, strict } = group
    const owned = streams.get(head.stream) ?? { newest: head }
    checkGroup(group, owned.newest)
    owned.newest = head
    streams.set(head.stream, owned)
    if (owned.stored && clock() - owned.stored.atMs > REVIVE_AFTER_MS) revive(connection, owned.stored)
    await connection.run((database) =>
      transact(
        database,
        { stores: ['segments', 'streams'], mode: 'readwrite', durability: strict ? 'strict' : 'relaxed' },
        (transaction, watch) => {
          for (const segment of segments) watch(transaction.objectStore('segments').put(segment))
          // On a second try a later group may have been stored already: its head must not go back.
          watch(transaction.objectStore('streams').put(owned.newest))
        },
      ),
    )
    owned.stored = { head, atMs: clock() }
    return strict ? 'power' : 'process'
  }
  return append
}

/**
 * A stream that was idle for long may have been forgotten by another tab. The append that follows writes its head
 * again; this puts back the progress that belongs to it. Its transaction was created first, so it runs first.
 */
function revive(connection: Connection, { head, atMs }: NonNullable<Owned['stored']>): void {
  connection
    .run((database) =>
      transact(database, { stores: ['streams', 'progress'], mode: 'readwrite' }, async (transaction, watch) => {
        const known = await transaction.objectStore('streams').get(head.stream)
        if (known === undefined) watch(transaction.objectStore('progress').put(allSettled(head, atMs)))
      }),
    )
    // The append meets the same fate, and reports it.
    .catch(() => undefined)
}
