/**
 * A relay that is going to be killed. Prints `{ url, adminUrl }` as one line once it listens.
 * Usage: node killed-relay.ts <a file, or postgres://…> <upstream origin>
 */
import * as z from 'zod'
import { createRelay, defineMeter } from '../../../src/relay.ts'
import { ADMIN_KEY, GRANT_SECRET, ORIGIN, PUBLIC_URL } from '../../support/relay-fixture.ts'

const [database = '', restBase = ''] = process.argv.slice(2)
const calls = defineMeter('calls', z.object({ quantity: z.int().nonnegative() }))
const fields = { UsageIdentifier: 'id', CustomerId: 'account', UsageDate: 'at', Quantity: 'data.quantity' } as const

const relay = await createRelay({
  publicUrl: PUBLIC_URL,
  listen: { port: 0 },
  store: database.startsWith('postgres:') ? { postgres: database } : { sqlite: database },
  meters: [{ meter: calls, upstream: { meterGlobalId: 'calls', fields } }],
  // A short time limit makes short leases: what a killed relay had claimed is taken up soon.
  upstream: { restBase, clientId: 'id', clientSecret: 'client-secret', environment: 'api-sandbox', timeoutMs: 500 },
  grants: [{ keyId: 'app', secret: GRANT_SECRET }],
  origins: [ORIGIN],
  admin: { key: ADMIN_KEY, listen: { port: 0 } },
  limits: {
    devicePerMinute: 1_000_000,
    accountPerMinute: 1_000_000,
    addressPerMinute: 1_000_000,
    tenantPerMinute: 1_000_000,
  },
})
process.on('SIGTERM', () => relay.stop().then(() => process.exit(0)))
process.stdout.write(`${JSON.stringify(await relay.start())}\n`)
