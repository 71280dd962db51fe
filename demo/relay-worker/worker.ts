// In a project of your own: from 'metertap/relay-worker'.
import { defineRelayWorker } from '../../src/relay-worker.ts'
import { apiCalls } from './meters.ts'

const relay = defineRelayWorker((env) => {
  const { PUBLIC_URL = '', METERTAP_UPSTREAM = '' } = env as Record<string, string>
  return {
    publicUrl: PUBLIC_URL, // where agents reach this Worker; its tokens are for this origin only
    origins: [], // where pages that record come from
    grants: [{ keyId: 'app' }],
    upstream: { restBase: METERTAP_UPSTREAM },
    reconcileEveryHours: 6, // when the cron trigger comes
    // Fixed for good with the first request. One shard takes some thousand events a second.
    shards: 4,
    meters: [
      {
        meter: apiCalls,
        upstream: {
          meterGlobalId: 'api-calls', // the meter's id in Zuora
          fields: { CustomerId: 'account', UsageIdentifier: 'id', UsageDate: 'at', Quantity: 'data.quantity' },
        },
      },
    ],
  }
})

export default relay.worker
export const { UsageShard, UsageKeys, UsageGate } = relay
