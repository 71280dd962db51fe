import type { AppendGroup, Durability, Segment, StreamHead } from '../contract.ts'
import { checkGroup } from '../core/check-group.ts'
import { OwnedStream } from '../core/owned-stream.ts'
import { RETIRE_AFTER_MS } from '../core/retire-after.ts'
import { commitAtOnce } from './commit-at-once.ts'
import type { Connection } from './connection.ts'
import type { Store } from './schema.ts'

/** From this age on, a head that was written may have been forgotten; well before it can be. */
const REVIVE_AFTER_MS = RETIRE_AFTER_MS / 2

/** What was last stored of a stream, and when. */
export interface Stored {
  readonly head: StreamHead
  readonly atMs: number
}

/** Who sees to what an append leaves undone. */
export interface AppendHooks {
  /** Called before an append to a stream that may have been forgotten: puts back what its rows said. Only a page that has been open for days needs it. */
  revive(stored: Stored): void
  /** These are stored. */
  stored(segments: readonly Segment[]): void
}

const PLAIN_STORES: readonly Store[] = ['segments', 'streams']

/** The write path: one transaction for each group, issued and committed within the call when the connection is open. */
export function createAppender(
  connection: Connection,
  clock: () => number,
  hooks: AppendHooks,
): (group: AppendGroup) => Promise<Durability> {
  const streams = new Map<string, { readonly owned: OwnedStream; stored?: Stored }>()

  async function append(group: AppendGroup): Promise<Durability> {
    const { head, segments, strict, rollups = [], closed = [], hidden } = group
    const stream = streams.get(head.stream) ?? { owned: new OwnedStream(head) }
    checkGroup(group, stream.owned.newest)
    stream.owned.note(group)
    streams.set(head.stream, stream)
    if (stream.stored && clock() - stream.stored.atMs > REVIVE_AFTER_MS) hooks.revive(stream.stored)
    const stores = [...PLAIN_STORES]
    if (rollups.length + closed.length > 0) stores.push('rollups')
    if (hidden) stores.push('hidden')
    const durability = strict ? 'strict' : 'relaxed'
    await connection.run((database) =>
      commitAtOnce(database, stores, durability, (transaction) => {
        const store = (name: Store) => transaction.objectStore(name)
        const rows = store('segments')
        for (const segment of segments) rows.put(segment)
        if (hidden) for (const { first } of segments) store('hidden').delete([head.stream, first])
        for (const row of hidden ?? []) store('hidden').put(row)
        for (const rollup of stream.owned.current(rollups)) store('rollups').put(rollup)
        for (const seq of closed) store('rollups').delete([head.stream, seq])
        // On a second try a later group may have been stored already: its head must not go back.
        store('streams').put(stream.owned.newest)
      }),
    )
    stream.stored = { head, atMs: clock() }
    if (!hidden) hooks.stored(segments)
    return strict ? 'power' : 'process'
  }
  return append
}
