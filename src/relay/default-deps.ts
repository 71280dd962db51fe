import type { RelayDeps } from './create-relay.ts'
import { createForwarder } from './forward/create-forwarder.ts'
import { openSqliteStore } from './store/sqlite/open-sqlite-store.ts'

/** The parts that createRelay() uses unless it is given others. */
export function defaultDeps(given: Partial<RelayDeps>): RelayDeps {
  const deps = {
    clock: Date.now,
    random: Math.random,
    uuid: () => crypto.randomUUID(),
    fetch: (...call: Parameters<typeof fetch>) => fetch(...call),
    log: () => {},
    environment: process.env,
    ...given,
  }
  const { clock, random, uuid, log } = deps
  return {
    openStore: ({ store }) => openSqliteStore({ path: store.sqlite, clock }),
    createForwarder: (store, { meters, upstream }) =>
      createForwarder({ store, routes: meters, upstream, owner: uuid(), clock, random, fetch: deps.fetch, log }),
    ...deps,
  }
}
