import { afterAll, describe, expect, test } from 'vitest'
import { startPostgres } from '../support/postgres.ts'
import { ADMIN_KEY, keepStoresIn, openTestRelay, readProblem } from '../support/relay-fixture.ts'

/** The tests of the relay's routes once more, word for word, over PostgreSQL. */
const server = await startPostgres()
let schemas = 0
keepStoresIn(async () => {
  const schema = `routes_${schemas++}`
  return { store: { postgres: server.url, schema, maxConnections: 2 }, remove: () => server.dropSchema(schema) }
})
afterAll(() => server.stop())

describe('on PostgreSQL, the operator', async () => void (await import('./relay-admin.test.ts')))
describe('on PostgreSQL, the console', async () => void (await import('./relay-console.test.ts')))
describe('on PostgreSQL, agents', async () => void (await import('./relay-http.test.ts')))
describe('on PostgreSQL, what is accepted', async () => void (await import('./relay-accept.test.ts')))

test('on PostgreSQL, a backup over the network is refused: it says what to use instead', async () => {
  const relay = await openTestRelay({ admin: { key: ADMIN_KEY, backupFolder: '/nowhere' } })
  const headers = { Authorization: `Bearer ${ADMIN_KEY}` }
  const refused = await readProblem(await relay.adminRequest('/v1/backup', { method: 'POST', headers }))
  expect(refused).toMatchObject({ status: 409, code: 'conflict', detail: expect.stringContaining('pg_dump') })
  expect(relay.log, 'no fault of the store’s').toEqual([])
  await relay.close()
})
