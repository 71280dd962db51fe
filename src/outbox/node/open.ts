import { statSync } from 'node:fs'
import { join } from 'node:path'
import { troubleOf } from '../../sqlite/errors.ts'
import { takeFileLock } from '../../sqlite/file-lock.ts'
import { MetertapError } from '../../wire/errors.ts'
import type { Outbox } from '../contract.ts'
import type { LeaseHolders } from '../sqlite/leases.ts'
import { openSqliteOutbox } from '../sqlite/open.ts'
import { openFailure } from './errors.ts'
import { openOutboxFile } from './open-file.ts'
import { type Salvaged, salvage } from './salvage.ts'
import { selfOpening } from './self-opening.ts'
import { setAside } from './set-aside.ts'

export interface NodeOutboxDeps {
  /** Made when it is missing, for its owner only. */
  readonly folder: string
  /** All processes that give the same folder and name share one outbox. */
  readonly name: string
  readonly random: () => string
  /** Wall clock, ms since 1970. */
  readonly clock: () => number
  readonly monotonic: () => number
  /** Called when it is first opened; what it gives is let go of when it is closed. Undefined: leases end with their time. */
  readonly holdLeases: () => HeldLeases | undefined
  /** The outbox could not be opened: each call tries again, once in a second. Told once, until onOpened. */
  readonly onFailed: (error: MetertapError) => void
  readonly onOpened: () => void
  /** A damaged file was set aside; `detail` has its new name, and how many rows could be taken over. */
  readonly onDamaged: (error: MetertapError) => void
}

/** A name under which leases are held, as long as its lock is. */
export interface HeldLeases {
  readonly holders: LeaseHolders
  release(): void
}

/** Where the outbox of this name stands in the folder. */
export function outboxPath(folder: string, name: string): string {
  return join(folder, `${encodeURIComponent(name)}.db`)
}

/**
 * An outbox in a file of this folder, opened within this call where that can be done, and again by a later call where
 * not: calls reject with `outbox_unavailable` or `outbox_full` until then. A damaged file is renamed to
 * `<file>.damaged-<time>`, what can be read of it goes into a new one, and work goes on.
 *
 * @example const outbox = openNodeOutbox({ folder: '/var/lib/app/usage', name: 'metertap', ...deps })
 */
export function openNodeOutbox(deps: NodeOutboxDeps): Outbox {
  const { folder, name, monotonic, onFailed, onOpened } = deps
  const path = outboxPath(folder, name)
  let held: HeldLeases | undefined
  let inode: bigint | undefined
  const open = (isDamaged: boolean) => {
    try {
      held ??= deps.holdLeases()
      const opening = { ...deps, holders: held?.holders }
      // Another process may have replaced it.
      return isDamaged && inodeOf(path) === inode ? openAnew(path, opening, inode) : openSound(path, opening)
    } catch (error) {
      throw openFailure(path, error)
    } finally {
      inode = inodeOf(path)
    }
  }
  const outbox = selfOpening({ open, isInPlace: () => inodeOf(path) === inode, monotonic, onFailed, onOpened })
  // A failure has been told, and the next call tries again.
  outbox.totals().catch(() => undefined)
  return {
    ...outbox,
    async close() {
      await outbox.close()
      held?.release()
    },
  }
}

type Opening = NodeOutboxDeps & { readonly holders: LeaseHolders | undefined }

function openSound(path: string, deps: Opening): Outbox {
  try {
    return openAsItIs(path, deps)
  } catch (error) {
    if (troubleOf(error) !== 'damaged') throw error
    return openAnew(path, deps)
  }
}

function openAsItIs(path: string, { random, clock, monotonic, holders }: Opening): Outbox {
  const { db, synced, relieve, recover } = openOutboxFile(path, monotonic)
  try {
    const outbox = openSqliteOutbox({ db, synced, relieve, random, clock, ...(holders && { holders }) })
    return {
      ...outbox,
      append: (group) =>
        outbox.append(group).catch((error) => {
          recover()
          throw error
        }),
      async settle(settlement) {
        const settled = await outbox.settle(settlement)
        recover()
        return settled
      },
    }
  } catch (error) {
    db.close()
    throw error
  }
}

/** One process sets the file aside; the others find a new one. `damaged`: the file that has shown damage after opening. */
function openAnew(path: string, deps: Opening, damaged?: bigint): Outbox {
  const lock = takeFileLock(`${path}.repair.lock`)
  if (!lock) throw new MetertapError('outbox_unavailable', 'Another process repairs the outbox right now.', { path })
  try {
    if (damaged === undefined || inodeOf(path) !== damaged) return openAsItIs(path, deps)
    return replace(path, deps)
  } catch (error) {
    if (troubleOf(error) !== 'damaged') throw error
    return replace(path, deps)
  } finally {
    lock.release()
  }
}

function replace(path: string, deps: Opening): Outbox {
  const aside = setAside(path, deps.clock())
  const outbox = openAsItIs(path, deps)
  deps.onDamaged(wasDamaged(path, aside, salvageInto(path, aside, deps)))
  return outbox
}

function salvageInto(path: string, aside: string, { clock, monotonic }: Opening): Salvaged {
  const { db } = openOutboxFile(path, monotonic)
  try {
    return salvage(aside, db, clock())
  } finally {
    db.close()
  }
}

function wasDamaged(path: string, aside: string, { rows, lostEvents }: Salvaged): MetertapError {
  const text = `The outbox ${path} was damaged. It was set aside as ${aside}, and a new one has taken over the ${rows} rows that could be read; ${lostEvents} events are known to be lost. Keep it until the relay’s ledger shows that nothing is missing.`
  return new MetertapError('outbox_unavailable', text, { path, aside, rows, lostEvents, trouble: 'damaged' })
}

function inodeOf(path: string): bigint | undefined {
  return statSync(path, { bigint: true, throwIfNoEntry: false })?.ino
}
