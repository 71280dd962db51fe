import { defineRelayConfig } from 'metertap/relay'
import { apiCalls } from './meters.ts'

const { RELAY_PORT, SITE_ORIGIN = '', UPSTREAM = '' } = process.env

// Secrets come from the environment: METERTAP_GRANT_SECRET_APP, METERTAP_ZUORA_CLIENT_ID and _SECRET.
export default defineRelayConfig({
  publicUrl: `http://127.0.0.1:${RELAY_PORT}`,
  listen: { port: Number(RELAY_PORT) },
  store: { sqlite: './relay.db' },
  origins: [SITE_ORIGIN],
  grants: [{ keyId: 'app' }],
  upstream: { restBase: UPSTREAM },
  meters: [
    {
      meter: apiCalls,
      upstream: {
        meterGlobalId: 'api-calls-id',
        fields: { CustomerId: 'account', UsageIdentifier: 'id', UsageDate: 'at', Quantity: 'data.quantity' },
      },
    },
  ],
})
