import type { DeadLetter, Outbox } from '../contract.ts'
import { dropOldestIn } from '../core/drop-oldest.ts'
import { summariesOf } from '../core/overview.ts'
import { purgeIn } from '../core/purge.ts'
import { quarantineIn } from '../core/quarantine.ts'
import { restoreIn } from '../core/restore.ts'
import { retryDeadIn } from '../core/retry-dead.ts'
import { closeRollupsIn } from '../core/rollups.ts'
import type { Connection } from './connection.ts'
import type { IdbMain, MainVerb, SetAside } from './main-verbs.ts'
import { QUARANTINE_STORES, ROLLUP_STORES } from './tables.ts'
import { transact, wrapped } from './transact.ts'

/** Best effort: what could not be set aside, for want of room above all, is met and passed over again. */
export const setAside: SetAside = async ({ write, home }, strays) => {
  try {
    await write((tables) => quarantineIn(tables, strays, home.deps.clock()), QUARANTINE_STORES)
    return true
  } catch {
    return false
  }
}

/** What is asked of an outbox at times only. */
export function otherVerbs(main: IdbMain): Omit<Outbox, MainVerb> {
  const { read, write, settling } = main
  const { connection } = main.home
  return {
    restore: (group) => write((tables) => restoreIn(tables, group), ROLLUP_STORES),
    purge: (options) => write((tables) => purgeIn(tables, options), ROLLUP_STORES),
    dropOldest: (options) => write((tables) => dropOldestIn(tables, options)),
    closeRollups: async ({ streams }) => {
      const { closed, strays } = await write((tables) => closeRollupsIn(tables, streams), ROLLUP_STORES)
      if (strays.length > 0) await setAside(main, strays)
      return closed
    },
    streams: () => read((tables) => summariesOf(settling.view(tables))),
    deadLetters: () => connection.run((database) => wrapped(database).getAll('dead')),
    deleteDeadLetters: (letters) => deleteDeadLetters(connection, letters),
    retryDeadLetters: (letters) => write((tables) => retryDeadIn(tables, letters)),
    quarantined: () => connection.run((database) => wrapped(database).getAll('quarantine')),
  }
}

function deleteDeadLetters(
  connection: Connection,
  letters: readonly Pick<DeadLetter, 'stream' | 'seq'>[],
): Promise<void> {
  return connection.run((database) =>
    transact(database, { stores: ['dead'], mode: 'readwrite' }, (_, bare) => {
      for (const { stream, seq } of letters) bare.objectStore('dead').delete([stream, seq])
    }),
  )
}
