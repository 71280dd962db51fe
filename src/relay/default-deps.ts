import type { RelayDeps } from './create-relay.ts'
import { openSqliteStore } from './store/sqlite/open-sqlite-store.ts'

/** The parts that createRelay() uses unless it is given others. */
export function defaultDeps(given: Partial<RelayDeps>): RelayDeps {
  const clock = given.clock ?? Date.now
  return {
    clock,
    random: Math.random,
    uuid: () => crypto.randomUUID(),
    fetch: (...call) => fetch(...call),
    log: () => {},
    environment: process.env,
    openStore: (settings) => openSqliteStore({ path: settings.store.sqlite, clock }),
    createForwarder: () => {
      throw new Error('forwarder')
    },
  }
}
