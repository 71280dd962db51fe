/**
 * The relay as it is: tokens, validation, de-duplication, durable commits; only its rate limits are out of the way.
 * Usage: serve-relay.ts <a file, or postgres://…> [<upstream origin>]; without an upstream it forwards nothing.
 */
import { createRelay, type RelayConfig } from '../../src/relay.ts'
import { benchRequests } from '../subjects/meter.ts'
import { ADMIN_KEY, GRANT_KEY_ID, GRANT_SECRET, PUBLIC_URL, UPSTREAM_CLIENT, UPSTREAM_METER } from './contract.ts'

const [database = '', upstream] = process.argv.slice(2)
const PLENTY = 10_000_000

const config: RelayConfig = {
  publicUrl: PUBLIC_URL,
  listen: { port: 0 },
  store: database.startsWith('postgres:') ? { postgres: database } : { sqlite: database },
  meters: [
    {
      meter: benchRequests,
      upstream: {
        meterGlobalId: UPSTREAM_METER,
        fields: { CustomerId: 'account', UsageIdentifier: 'id', UsageDate: 'at', Quantity: 'data.bytes' },
      },
    },
  ],
  upstream: { restBase: upstream ?? 'http://127.0.0.1:9', ...UPSTREAM_CLIENT },
  grants: [{ keyId: GRANT_KEY_ID, secret: GRANT_SECRET }],
  origins: ['http://127.0.0.1'],
  admin: { key: ADMIN_KEY, listen: { port: 0 } },
  limits: {
    addressPerMinute: PLENTY,
    devicePerMinute: PLENTY,
    accountPerMinute: PLENTY,
    tenantPerMinute: PLENTY,
    maxOpenBytes: 512 * 2 ** 20,
  },
}
const idle = { start() {}, wake() {}, stop: async () => {}, stats: () => [] }
const relay = await createRelay(config, {
  log: (level, event, fields) => {
    if (level === 'error') console.error(event, fields)
  },
  ...(upstream === undefined && { createForwarder: () => idle }),
})
process.send?.(await relay.start())
process.once('SIGTERM', () => relay.stop().then(() => process.exit(0)))
