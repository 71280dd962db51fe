import { MetertapError } from '../../wire/errors.ts'
import type { Outbox } from '../contract.ts'
import { checkGroup } from '../core/check-group.ts'
import { claimFrom, releaseIn } from '../core/claim.ts'
import { summariesOf, totalsOf } from '../core/overview.ts'
import { purgeIn } from '../core/purge.ts'
import { settleIn } from '../core/settle.ts'
import { deadKey, memoryRows, memoryTables } from './tables.ts'

export interface MemoryOutboxDeps {
  /** Makes the installation's id, such as a UUID; called at most once. */
  readonly random: () => string
}

/**
 * An outbox that lives as long as this object: for runtimes without storage, and as the last resort when IndexedDB
 * cannot be opened. Receipts say 'memory'. After close() every call rejects with code 'closed'.
 *
 * @example const outbox = createMemoryOutbox({ random: () => crypto.randomUUID() })
 */
export function createMemoryOutbox({ random }: MemoryOutboxDeps): Outbox {
  const rows = memoryRows()
  const tables = memoryTables(rows)
  let device: string | undefined
  let closed = false
  let previous: Promise<unknown> = Promise.resolve()

  /** One call after the other, which is what makes each of them atomic. */
  function inTurn<T>(work: () => T | Promise<T>): Promise<T> {
    if (closed) return Promise.reject(new MetertapError('closed', 'The outbox is closed. Create a new agent.'))
    const turn = previous.then(work)
    previous = turn.catch(() => undefined)
    return turn
  }

  return {
    durability: 'memory',
    append: (group) =>
      inTurn(() => {
        checkGroup(group, rows.heads.get(group.head.stream))
        for (const segment of group.segments) tables.putSegment(segment)
        rows.heads.set(group.head.stream, group.head)
        return 'memory'
      }),
    claim: (options) => inTurn(() => claimFrom(tables, options)),
    // Nothing outlives the page here, so there is never a pile of finished streams to forget.
    settle: (settlement) => inTurn(() => settleIn(tables, settlement, Number.POSITIVE_INFINITY)),
    release: (claim) => inTurn(() => releaseIn(tables, claim)),
    purge: (options) => inTurn(() => purgeIn(tables, options)),
    totals: () => inTurn(() => totalsOf(tables)),
    streams: () => inTurn(() => summariesOf(tables)),
    deadLetters: () =>
      inTurn(() =>
        [...rows.dead.values()].sort((a, b) => (a.stream === b.stream ? a.seq - b.seq : a.stream < b.stream ? -1 : 1)),
      ),
    deleteDeadLetters: (letters) =>
      inTurn(() => {
        for (const letter of letters) rows.dead.delete(deadKey(letter))
      }),
    deviceId: () => inTurn(() => (device ??= random())),
    close: async () => {
      closed = true
      await previous
    },
  }
}
