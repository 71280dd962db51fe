import type { Sqlite } from '../../sqlite/contract.ts'
import type { AppendGroup, Durability, StreamHead } from '../contract.ts'
import { checkGroup } from '../core/check-group.ts'
import { allSettled } from '../core/progress.ts'
import { putGroup } from '../core/put-group.ts'
import { sqliteTables } from './tables.ts'
import type { Turns } from './turns.ts'

export interface AppenderOptions {
  readonly db: Sqlite
  readonly turns: Turns
  readonly clock: () => number
  readonly durability: { readonly plain: Durability; readonly strict: Durability }
  /** Runs one transaction so that it is on the disk when it returns. */
  readonly synced: <T>(transaction: () => T) => T
}

/** The write path: one transaction for each group, committed within the call. */
export function createAppender(options: AppenderOptions): (group: AppendGroup) => Promise<Durability> {
  const { db, turns, clock, durability, synced } = options
  /** The heads that were stored here. */
  const stored = new Map<string, StreamHead>()

  return (group) =>
    turns.atOnce((sql) => {
      const { head, strict } = group
      const tables = sqliteTables(sql)
      const write = () =>
        db.transaction(() => {
          const known = sql('SELECT row FROM streams WHERE stream = ?').get(head.stream)
          const earlier = stored.get(head.stream)
          checkGroup(group, known ? headOf(known.row) : earlier)
          // It was idle for so long that it was forgotten, by another process maybe: what its rows said is put back.
          if (!known && earlier) tables.putProgress(allSettled(earlier, clock()))
          putGroup(tables, group)
        })
      if (strict) synced(write)
      else write()
      stored.set(head.stream, head)
      return strict ? durability.strict : durability.plain
    })
}

/** Undefined for a damaged row: the next claim sets it aside, or this append writes over it. */
function headOf(text: unknown): StreamHead | undefined {
  try {
    const head = JSON.parse(String(text)) as StreamHead
    return typeof head?.accountTag === 'string' ? head : undefined
  } catch {
    return undefined
  }
}
