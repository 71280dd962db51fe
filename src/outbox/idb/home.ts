import type { AppendGroup, Durability } from '../contract.ts'
import { type AppendHooks, createAppender } from './append.ts'
import { type Connection, connect } from './connection.ts'
import type { SetTimer } from './open-database.ts'
import { type OnLifecycle, type Presence, watchPresence } from './presence.ts'

export interface IdbOutboxDeps {
  /** The database's name; all tabs of an origin that use one name share one outbox. Default 'metertap'. */
  readonly name?: string
  readonly indexedDB: IDBFactory | undefined
  /** Makes the installation's id, such as a UUID; used once in the outbox's life. */
  readonly random: () => string
  /** Wall clock, ms since 1970. */
  readonly clock: () => number
  /** Calls back after a delay; gives what cancels it. Without it, an open request that is never answered waits for ever. */
  readonly setTimer?: SetTimer
  /** Tells when the page is put away and shown again. Without it, the page's sleep may stop other pages. */
  readonly onLifecycle?: OnLifecycle
  /** Called when a lost connection could not be opened again; calls still try, each time. */
  readonly onBroken?: (error: unknown) => void
}

/** The open database, and what recording needs of it: all else (see verbs.ts) can come later. */
export interface IdbHome {
  readonly deps: IdbOutboxDeps
  readonly connection: Connection
  readonly presence: Presence
  /** Given by whoever makes the whole outbox. */
  readonly hooks: AppendHooks
  readonly append: (group: AppendGroup) => Promise<Durability>
  readonly close: () => Promise<void>
}

/** Opens, and makes if need be, the database. See openIdbOutbox() for how it rejects. */
export async function openIdbHome(deps: IdbOutboxDeps): Promise<IdbHome> {
  const { name = 'metertap', clock, onLifecycle } = deps
  const connection = await connect({ ...deps, name })
  const presence = watchPresence(onLifecycle)
  const close = async () => {
    presence.stop()
    connection.close()
  }
  const hooks: AppendHooks = { revive() {}, stored() {} }
  return { deps, connection, presence, hooks, append: createAppender(connection, clock, hooks), close }
}
