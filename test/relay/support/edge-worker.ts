/** The edge relay under test; its upstream is wherever the binding says. */
import * as z from 'zod'
import { defineMeter, defineRelayWorker } from '../../../src/relay-worker.ts'
import { ORIGIN, PUBLIC_URL } from '../../support/addresses.ts'

const calls = defineMeter('calls', z.object({ quantity: z.int().nonnegative() }))
const loose = defineMeter('loose', z.unknown())
const fields = { UsageIdentifier: 'id', CustomerId: 'account', UsageDate: 'at', Quantity: 'data.quantity' } as const
const plain = { UsageIdentifier: 'id', UsageDate: 'at' } as const
const MANY = 1_000_000

const relay = defineRelayWorker((env) => {
  const { UPSTREAM: restBase, SHARDS } = env as { UPSTREAM: string; SHARDS: string }
  return {
    publicUrl: PUBLIC_URL,
    meters: [
      { meter: calls, upstream: { meterGlobalId: 'calls', fields } },
      { meter: loose, upstream: { meterGlobalId: 'loose', fields: plain } },
    ],
    upstream: { restBase, clientId: 'id', clientSecret: 'client-secret', environment: 'api-sandbox', timeoutMs: 2_000 },
    grants: [{ keyId: 'app' }],
    origins: [ORIGIN],
    shards: Number(SHARDS),
    lingerMs: 100,
    limits: {
      ...{ devicePerMinute: MANY, accountPerMinute: MANY, addressPerMinute: MANY, tenantPerMinute: MANY },
      bodyTimeoutMs: 2_000,
    },
  }
})
export default relay.worker
export const { UsageShard, UsageKeys, UsageGate } = relay
