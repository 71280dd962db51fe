import { afterAll, beforeAll, describe } from 'vitest'
import { migratePostgresStore } from '../../src/relay/store/postgres/migrate-postgres-store.ts'
import { openPostgresStore } from '../../src/relay/store/postgres/open-postgres-store.ts'
import { verifyPostgresStore } from '../../src/relay/store/postgres/verify-postgres-store.ts'
import { startPostgres, type TestPostgres } from '../support/postgres.ts'
import { describeRelayStore } from './relay-store.ts'

let server: TestPostgres
let homes = 0
beforeAll(async () => {
  server = await startPostgres()
}, 60_000)
afterAll(() => server.stop())

/** A schema of its own for each test. */
async function makeHome() {
  const schema = `home_${homes++}`
  await migratePostgresStore({ url: server.url, schema })
  return {
    open: (options = {}) =>
      openPostgresStore({ url: server.url, schema, clock: () => 1_700_000_100_000, maxConnections: 4, ...options }),
    verify: async () => (await verifyPostgresStore({ url: server.url, schema })).problems,
    remove: () => server.dropSchema(schema),
  }
}

describe('in PostgreSQL', { timeout: 120_000 }, () => describeRelayStore('PostgreSQL store', makeHome))
