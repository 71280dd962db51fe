import { MetertapError } from '../../wire/errors.ts'
import type { Outbox, Settled, Settlement } from '../contract.ts'
import { letGoIn } from '../core/let-go.ts'
import { settleIn } from '../core/settle.ts'
import type { Tables } from '../core/tables.ts'

type Write = <T>(work: (tables: Tables) => Promise<T>) => Promise<T>

/**
 * settle() where the storage may be full. Its counting needs a little room, which only its deletions can make: when
 * there is none, the segments that the relay holds go first, in a transaction that writes nothing, and their counting
 * is owed until a later settlement finds room. Should the page end before that, they count as waiting for ever; they
 * are neither lost nor sent again.
 *
 * Rejects with 'outbox_full' when there was nothing to let go.
 */
export function createSettle(write: Write, retireAfterMs: number): Outbox['settle'] {
  let owed: readonly Settlement[] = []

  /** What was owed has been told when it was let go: only the newest one's result is news. */
  const settleAll = (earlier: readonly Settlement[], newest: Settlement): Promise<Settled> =>
    write(async (tables) => {
      for (const settlement of earlier) await settleIn(tables, settlement, retireAfterMs)
      return settleIn(tables, newest, retireAfterMs)
    })

  return async (settlement) => {
    const paid = owed
    try {
      const settled = await settleAll(paid, settlement)
      owed = owed.filter((each) => !paid.includes(each))
      return settled
    } catch (error) {
      if (!(error instanceof MetertapError) || error.code !== 'outbox_full') throw error
      const gone = await write(async (tables) => letGoIn(tables, settlement))
      if (gone.claim.segments.length === 0) throw error
      owed = [...owed, gone]
      return { received: gone.claim.segments.reduce((sum, { count }) => sum + count, 0), dead: [] }
    }
  }
}
