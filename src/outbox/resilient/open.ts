import type { Outbox } from '../contract.ts'
import { closedError } from './closed-error.ts'
import { createFront } from './front.ts'
import { hardTimes, type ResilientOutboxDeps } from './hard-times.ts'
import { Owners } from './owner.ts'

/**
 * An outbox that goes on when its home does not: a group that `primary` cannot store (no room, no connection) is held
 * in memory, and its append resolves 'memory'. The next append and every claim first try to store what is held. Until
 * then claims are served from memory too, and what comes of them is told to the primary when it is back.
 *
 * append() rejects with codes 'closed' and 'internal' only. Other calls reject as the primary does when it alone could
 * have answered. A group in doubt (the connection went in the moment of its commit) is stored again: at worst its
 * segments are sent twice, which the relay notices.
 *
 * @example const outbox = resilientOutbox({ primary, onDegraded: (error) => warn(error), onRecovered: () => {} })
 */
export function resilientOutbox(deps: ResilientOutboxDeps): Outbox {
  const { primary } = deps
  const owners = new Owners()
  const hard = hardTimes({ ...deps, owners })
  const append = createFront({ primary, owners, known: () => hard, load: async () => hard })
  let closed = false
  return {
    ...hard.outbox,
    putAside: hard.putAside,
    append: (group) => (closed ? Promise.reject(closedError()) : append(group)),
    close: () => {
      closed = true
      return hard.outbox.close()
    },
  }
}
