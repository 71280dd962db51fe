import type { Claim, ClaimOptions, Outbox } from '../contract.ts'
import { claimFrom, releaseIn } from '../core/claim.ts'
import { openRollupsOf } from '../core/open-rollups.ts'
import { totalsOf } from '../core/overview.ts'
import { RETIRE_AFTER_MS } from '../core/retire-after.ts'
import { createFullSettling, type FullSettling } from '../core/settle-full.ts'
import type { Stray } from '../core/state.ts'
import type { Connection } from './connection.ts'
import { Copies } from './copies.ts'
import type { IdbHome } from './home.ts'
import { revive } from './revive.ts'
import { transact } from './transact.ts'
import { type Transact, transactions } from './transactions.ts'

/** Takes damaged rows out of the way; true when they are. */
export type SetAside = (main: IdbMain, strays: readonly Stray[]) => Promise<boolean>

/** What recording and sending ask of an outbox as long as all is well. */
export type MainVerb =
  | 'durability'
  | 'append'
  | 'claim'
  | 'settle'
  | 'release'
  | 'totals'
  | 'openRollups'
  | 'deviceId'
  | 'close'

/** An outbox's main verbs, and what its others are made of. */
export interface IdbMain {
  readonly home: IdbHome
  readonly read: Transact
  readonly write: Transact
  readonly settling: FullSettling
  readonly verbs: Pick<Outbox, MainVerb>
}

/** The main verbs over an open database. */
export function idbMain(home: IdbHome, setAside: SetAside): IdbMain {
  const { connection, presence, hooks, append, close } = home
  const copies = new Copies()
  hooks.revive = (stored) => revive(connection, stored)
  hooks.stored = (segments) => copies.keep(segments)
  const { read, write } = transactions(connection, presence, copies)
  const settling = createFullSettling(write, RETIRE_AFTER_MS, (strays) => setAside(main, strays))

  const claim = async (options: ClaimOptions): Promise<Claim | undefined> => {
    const transaction = options.leaseMs > 0 ? write : read
    copies.isOfSender = options.leaseMs === 0
    const claimed = await transaction((tables) => claimFrom(settling.view(tables), options))
    const isMoved = claimed.strays.length > 0 && (await setAside(main, claimed.strays))
    // The reports tell of what was just set aside; and behind a bound of it there may be more.
    return isMoved && !claimed.claim?.segments.length ? claim(options) : claimed.claim
  }

  const verbs: IdbMain['verbs'] = {
    durability: 'process',
    append,
    claim,
    settle: async (settlement) => {
      const settled = await settling.settle(settlement)
      // What another page has purged meanwhile would take the room of what comes.
      if (settled.totals?.events === 0) copies.clear()
      return settled
    },
    release: (claim) => write((tables) => releaseIn(tables, claim)),
    totals: () => read((tables) => totalsOf(settling.view(tables))),
    openRollups: () => read(openRollupsOf, ['rollups']),
    deviceId: () => deviceId(connection, home.deps.random),
    close,
  }
  const main: IdbMain = { home, read, write, settling, verbs }
  return main
}

function deviceId(connection: Connection, random: () => string): Promise<string> {
  return connection.run((database) =>
    transact(database, { stores: ['meta'], mode: 'readwrite' }, async (transaction, bare) => {
      const known = await transaction.objectStore('meta').get('deviceId')
      if (known !== undefined) return known
      const made = random()
      bare.objectStore('meta').put(made, 'deviceId')
      return made
    }),
  )
}
