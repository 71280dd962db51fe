import * as z from 'zod'
// In a project of your own: from 'metertap/relay-worker'.
import { defineMeter, defineRelayWorker } from '../../src/relay-worker.ts'

const apiCalls = defineMeter('api_calls', z.object({ feature: z.string(), quantity: z.int().positive() }))

const relay = defineRelayWorker({
  // Where agents reach this Worker; its tokens are for this origin only.
  publicUrl: 'https://usage.example.com',
  meters: [
    {
      meter: apiCalls,
      upstream: {
        meterGlobalId: 'the id in the meter’s upload URL',
        fields: { UsageIdentifier: 'id', CustomerId: 'account', UsageDate: 'at', Quantity: 'data.quantity' },
      },
    },
  ],
  upstream: { restBase: 'https://rest.zuora.com' },
  grants: [{ keyId: 'app' }],
  origins: ['https://app.example.com'],
  // Fixed for good with the first request. One shard takes some thousand events a second.
  shards: 4,
})

export default relay.worker
export const { UsageShard, UsageKeys, UsageGate } = relay
