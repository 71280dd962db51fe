import { env, runInDurableObject } from 'cloudflare:test'
import type { RelayStore } from '../../src/relay/store/contract.ts'
import { openDurableStore } from '../../src/relay/store/durable-object/open-durable-store.ts'
import { readBacklog } from '../../src/relay/store/sqlite/verify-backlog.ts'
import { checkStreams } from '../../src/relay/store/sqlite/verify-streams.ts'
import { durableObjectSqlite } from '../../src/sqlite/durable-object.ts'
import { describeRelayStore } from '../contract/relay-store.ts'

let objects = 0

describeRelayStore('Durable Object store', async () => {
  const stub = env.STOREROOM.get(env.STOREROOM.idFromName(`store-${objects++}`))
  return {
    open: (options = {}) => {
      let store: Promise<RelayStore> | undefined
      const inside = <R>(work: (store: RelayStore) => Promise<R>): Promise<R> =>
        runInDurableObject(stub, async (_, { storage }) => {
          store ??= Promise.resolve(openDurableStore({ storage, clock: () => 1_700_000_100_000, ...options }))
          return await work(await store)
        })
      return fromOutside(inside)
    },
    verify: () =>
      runInDurableObject(stub, (_, { storage }) => {
        const problems: string[] = []
        openDurableStore({ storage, clock: () => 0 })
        const db = durableObjectSqlite(storage)
        const { places } = readBacklog(db, (problem) => problems.push(problem))
        checkStreams(db, places, (problem) => problems.push(problem))
        return problems
      }),
    remove: async () => {},
  }
})

/** The store works inside its object; the suite stands outside. */
function fromOutside(inside: <R>(work: (store: RelayStore) => Promise<R>) => Promise<R>): RelayStore {
  return new Proxy({} as RelayStore, {
    get: (_, name) =>
      name === 'then'
        ? undefined
        : (...given: unknown[]) =>
            inside((store) => (store[name as keyof RelayStore] as (...args: unknown[]) => Promise<unknown>)(...given)),
  })
}
