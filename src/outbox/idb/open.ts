import type { Outbox } from '../contract.ts'
import { type IdbOutboxDeps, openIdbHome } from './home.ts'
import { idbOutbox } from './verbs.ts'

/**
 * An outbox in IndexedDB, shared by all tabs and workers of the origin. Receipts say 'process', or 'power' for a strict
 * group. A connection that the browser closed is opened again by the next call.
 *
 * Rejects with code 'outbox_unavailable' when IndexedDB is absent, forbidden, silent for 10 s, blocked by an older tab for
 * 3 s, or already upgraded by a newer one. A lost connection is opened again, up to 3 times for one call. Calls reject with 'outbox_unavailable', with 'outbox_full' when the browser grants no more
 * storage, and with 'closed' after close(). An append that rejects has stored nothing; only when the connection was lost
 * in the very moment of its commit, and could not be opened again, it is in doubt.
 *
 * @example const outbox = await openIdbOutbox({ indexedDB, random: () => crypto.randomUUID(), clock: Date.now })
 */
export async function openIdbOutbox(deps: IdbOutboxDeps): Promise<Outbox> {
  return idbOutbox(await openIdbHome(deps))
}
