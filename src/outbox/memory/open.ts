import { MetertapError } from '../../wire/errors.ts'
import type { Claim, ClaimOptions, Outbox, Settled, Settlement } from '../contract.ts'
import { checkGroup } from '../core/check-group.ts'
import { claimFrom, releaseIn } from '../core/claim.ts'
import { dropOldestIn } from '../core/drop-oldest.ts'
import { openRollupsOf } from '../core/open-rollups.ts'
import { summariesOf, totalsOf } from '../core/overview.ts'
import { purgeIn } from '../core/purge.ts'
import { putGroup } from '../core/put-group.ts'
import { quarantineIn } from '../core/quarantine.ts'
import { restoreIn } from '../core/restore.ts'
import { retryDeadIn } from '../core/retry-dead.ts'
import { closeRollupsIn } from '../core/rollups.ts'
import { settleOn } from '../core/settle-on.ts'
import { byNumber, memoryRows, memoryTables } from './tables.ts'

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

  async function claimWithin(options: ClaimOptions): Promise<Claim | undefined> {
    const { claim, strays } = await claimFrom(tables, options)
    if (strays.length === 0) return claim
    await quarantineIn(tables, strays, options.nowMs)
    // The reports tell of what was just set aside.
    return claim && claim.segments.length > 0 ? claim : claimWithin(options)
  }

  async function settleWithin(settlement: Settlement): Promise<Settled> {
    const { settled, strays } = await settleOn(tables, settlement, Number.POSITIVE_INFINITY)
    if (strays.length > 0) await quarantineIn(tables, strays, settlement.nowMs)
    return settled
  }

  return {
    durability: 'memory',
    append: (group) =>
      inTurn(() => {
        checkGroup(group, rows.heads.get(group.head.stream))
        putGroup(tables, group)
        return 'memory'
      }),
    restore: (group) => inTurn(() => restoreIn(tables, group)),
    claim: (options) => inTurn(() => claimWithin(options)),
    // Nothing outlives the page here, so there is never a pile of finished streams to forget.
    settle: (settlement) => inTurn(() => settleWithin(settlement)),
    release: (claim) => inTurn(() => releaseIn(tables, claim)),
    purge: (options) => inTurn(() => purgeIn(tables, options)),
    dropOldest: (options) => inTurn(() => dropOldestIn(tables, options)),
    closeRollups: ({ streams }) => inTurn(async () => (await closeRollupsIn(tables, streams)).closed),
    openRollups: () => inTurn(() => openRollupsOf(tables)),
    totals: () => inTurn(() => totalsOf(tables)),
    streams: () => inTurn(() => summariesOf(tables)),
    deadLetters: () => inTurn(() => [...rows.dead.values()].sort(byNumber)),
    deleteDeadLetters: (letters) =>
      inTurn(() => {
        for (const { stream, seq } of letters) tables.deleteDead(stream, seq)
      }),
    retryDeadLetters: (letters) => inTurn(() => retryDeadIn(tables, letters)),
    quarantined: () => inTurn(() => [...rows.quarantined]),
    deviceId: () => inTurn(() => (device ??= random())),
    close: async () => {
      closed = true
      await previous
    },
  }
}
