/**
 * A relay in a process of its own, so that its memory is its own. Prints `{ url, adminUrl }` as one line.
 * Usage: node relay-process.ts <database> <upstream origin>
 */
import * as z from 'zod'
import { createRelay, defineMeter } from '../../../src/relay.ts'
import { ADMIN_KEY, GRANT_SECRET, ORIGIN, PUBLIC_URL } from '../../support/relay-fixture.ts'

const [sqlite = '', restBase = ''] = process.argv.slice(2)
const calls = defineMeter('calls', z.object({ quantity: z.int().positive() }))
const loose = defineMeter('loose', z.unknown())
const fields = { UsageIdentifier: 'id', UsageDate: 'at' } as const

const relay = await createRelay({
  publicUrl: PUBLIC_URL,
  listen: { port: 0, trustedProxies: 1 },
  store: { sqlite },
  meters: [
    { meter: calls, upstream: { meterGlobalId: 'calls', fields } },
    { meter: loose, upstream: { meterGlobalId: 'loose', fields } },
  ],
  upstream: { restBase, clientId: 'id', clientSecret: 'client-secret' },
  grants: [{ keyId: 'app', secret: GRANT_SECRET }],
  origins: [ORIGIN],
  admin: { key: ADMIN_KEY, listen: { port: 0 } },
  limits: { bodyTimeoutMs: 2_000 },
})
process.stdout.write(`${JSON.stringify(await relay.start())}\n`)
process.on('SIGTERM', () => relay.stop().then(() => process.exit(0)))
