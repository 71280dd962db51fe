import { MetertapError } from '../../wire/errors.ts'
import type { Outbox, Settlement } from '../contract.ts'
import { letGoIn, withOwed } from './owed.ts'
import { settleIn } from './settle.ts'
import { settleOn } from './settle-on.ts'
import type { Stray } from './state.ts'
import { eventsIn } from './sums.ts'
import type { Tables } from './tables.ts'

type Write = <T>(work: (tables: Tables) => Promise<T>) => Promise<T>

/** Settling where the storage may be full. */
export interface FullSettling {
  readonly settle: Outbox['settle']
  /** The rows for a reader: as if everything owed were counted. */
  view(tables: Tables): Tables
}

/**
 * A settlement's counting needs a little room, which only its own deletions can make: a full outbox would never drain.
 * When there is no room, the segments that the relay holds whole go first, in a transaction that writes nothing; the
 * counting is owed until a later settlement finds room. Should the page end before that, those events count as waiting
 * for ever in this outbox's own sums; they are neither lost nor sent again.
 *
 * settle() rejects with 'outbox_full' when the claim has segments and none of them could go.
 */
export function createFullSettling(
  write: Write,
  retireAfterMs: number,
  /** Takes damaged rows out of the way, which the claim after a settlement met. */
  setAside: (strays: readonly Stray[]) => Promise<unknown>,
): FullSettling {
  let owed: readonly Settlement[] = []

  /** What was owed has been told when it was let go: only the newest one's result is news. */
  const settleAll = (earlier: readonly Settlement[], newest: Settlement) =>
    write(async (tables) => {
      for (const settlement of earlier) await settleIn(tables, settlement, retireAfterMs)
      return settleOn(tables, newest, retireAfterMs)
    })

  return {
    view: (tables) => withOwed(tables, owed),
    async settle(settlement) {
      const paid = owed
      try {
        const { settled, strays } = await settleAll(paid, settlement)
        owed = owed.filter((each) => !paid.includes(each))
        if (strays.length > 0) await setAside(strays)
        return settled
      } catch (error) {
        if (!(error instanceof MetertapError) || error.code !== 'outbox_full') throw error
        const gone = await write(async (tables) => letGoIn(tables, settlement))
        const { segments } = gone.claim
        if (segments.length === 0 && settlement.claim.segments.length > 0) throw error
        owed = [...owed, gone]
        return { received: eventsIn(segments), dead: [] }
      }
    },
  }
}
