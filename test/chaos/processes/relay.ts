/**
 * A relay that will be killed. Prints `{ url, adminUrl }` as one line once it listens.
 * Usage: node relay.ts <JSON of RelayProcessOptions>
 */
import { createRelay } from '../../../src/relay.ts'
import { CHAOS_ROUTE } from '../meter.ts'
import type { RelayProcessOptions } from './contract.ts'

const options = JSON.parse(process.argv[2] ?? '{}') as RelayProcessOptions
const PLENTY = 10_000_000

const relay = await createRelay({
  publicUrl: options.publicUrl,
  listen: { port: options.port },
  store: { sqlite: options.database },
  meters: [CHAOS_ROUTE],
  // A short time limit makes short leases: what a killed relay had claimed is taken up soon.
  upstream: { restBase: options.upstream, ...options.client, timeoutMs: 2_000 },
  grants: [{ keyId: options.keyId, secret: options.grantSecret }],
  origins: [options.origin],
  admin: { key: options.adminKey, listen: { port: options.adminPort } },
  limits: {
    devicePerMinute: PLENTY,
    accountPerMinute: PLENTY,
    addressPerMinute: PLENTY,
    tenantPerMinute: PLENTY,
    // Clocks jump by weeks here.
    maxEventAheadMs: 90 * 86_400_000,
    maxEventAgeMs: 90 * 86_400_000,
  },
})
process.stdout.write(`${JSON.stringify(await relay.start())}\n`)
process.on('SIGTERM', () => relay.stop().then(() => process.exit(0)))
