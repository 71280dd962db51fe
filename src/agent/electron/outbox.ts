import type { Outbox } from '../../outbox/contract.ts'
import type { MetertapError } from '../../wire/errors.ts'
import type { OutboxWatch } from '../running-agent.ts'

export interface SharedOutbox {
  /** For one more agent: told of the outbox's troubles, also those of before; its close() closes nothing. */
  open(watch: OutboxWatch): Outbox | Promise<Outbox>
  /** The outbox itself, to be closed when the last agent has. */
  opened(): Promise<Outbox>
}

/** One outbox for the agents of several accounts. */
export function createSharedOutbox(openOutbox: (watch: OutboxWatch) => Outbox | Promise<Outbox>): SharedOutbox {
  const watches = new Set<OutboxWatch>()
  let degraded: MetertapError | undefined
  let outbox: Outbox | Promise<Outbox> | undefined
  const all: OutboxWatch = {
    onDegraded(error) {
      degraded = error
      for (const watch of watches) watch.onDegraded(error)
    },
    onRecovered() {
      degraded = undefined
      for (const watch of watches) watch.onRecovered()
    },
    onTrouble(error) {
      for (const watch of watches) watch.onTrouble(error)
    },
  }
  const opened = () => {
    outbox ??= openOutbox(all)
    return outbox
  }
  return {
    open(watch) {
      watches.add(watch)
      const given = opened()
      if (given instanceof Promise) return given.then(unclosed)
      // In a later step: who makes the agent has to have a chance to listen.
      if (degraded) void Promise.resolve(degraded).then(watch.onDegraded)
      return unclosed(given)
    },
    opened: async () => opened(),
  }
}

/** The outbox for pages, once it is prepared for them; a preparation that fails is tried again at the next call. */
export function createReadyOutbox(
  shared: SharedOutbox,
  prepare: (outbox: Outbox) => Promise<void>,
): () => Promise<Outbox> {
  let ready: Promise<Outbox> | undefined
  const makeReady = async () => {
    try {
      const outbox = await shared.opened()
      await prepare(outbox)
      return outbox
    } catch (error) {
      ready = undefined
      throw error
    }
  }
  return () => {
    ready ??= makeReady()
    return ready
  }
}

function unclosed(outbox: Outbox): Outbox {
  return { ...outbox, close: async () => {} }
}
