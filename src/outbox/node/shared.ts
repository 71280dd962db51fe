import type { MetertapError } from '../../wire/errors.ts'
import type { Outbox } from '../contract.ts'
import { type NodeOutboxDeps, openNodeOutbox, outboxPath } from './open.ts'

export type NodeOutboxWatch = Pick<NodeOutboxDeps, 'onFailed' | 'onOpened' | 'onDamaged'>

interface Home {
  readonly outbox: Outbox
  readonly watches: Set<NodeOutboxWatch>
  /** Why it cannot be opened right now. */
  readonly failure: MetertapError | undefined
}

/** By path. Made by the first agent, empty again after the last. */
let homes: Map<string, Home> | undefined

/**
 * The outbox of this folder and name, one for all agents of this thread: of two connections in one thread each would
 * block the other's way out. close() lets go of it; the last one closes the file.
 */
export function joinNodeOutbox(deps: NodeOutboxDeps): Outbox {
  homes ??= new Map()
  const { onFailed, onOpened, onDamaged } = deps
  const path = outboxPath(deps.folder, deps.name)
  const watch = { onFailed, onOpened, onDamaged }
  const home = homes.get(path)
  if (home?.failure) onFailed(home.failure)
  home?.watches.add(watch)
  const { outbox, watches } = home ?? openHome(path, deps, watch)
  return {
    ...outbox,
    async close() {
      if (!watches.delete(watch) || watches.size > 0) return
      homes?.delete(path)
      await outbox.close()
    },
  }
}

function openHome(path: string, deps: NodeOutboxDeps, first: NodeOutboxWatch): Home {
  const watches = new Set([first])
  let failure: MetertapError | undefined
  const outbox = openNodeOutbox({
    ...deps,
    onFailed(error) {
      failure = error
      for (const watch of watches) watch.onFailed(error)
    },
    onOpened() {
      failure = undefined
      for (const watch of watches) watch.onOpened()
    },
    onDamaged(error) {
      for (const watch of watches) watch.onDamaged(error)
    },
  })
  const home = {
    ...{ outbox, watches },
    get failure() {
      return failure
    },
  }
  homes?.set(path, home)
  return home
}
