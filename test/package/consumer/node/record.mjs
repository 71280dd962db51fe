import { grantTokens } from 'metertap/grant'
import { createAgent } from 'metertap/node'
import { apiCalls } from '../meters.ts'

const { RELAY = '', GRANT_SECRET = '' } = process.env
const meters = [apiCalls]
const usage = createAgent({
  folder: './usage-esm',
  relay: RELAY,
  token: grantTokens({ relay: RELAY, keyId: 'app', secret: GRANT_SECRET, account: 'acct-1', device: 'server', meters }),
  meters,
})
const receipt = usage.record(apiCalls, { feature: 'export', quantity: 1 })
const durability = await receipt.durable
await usage.close()
console.log(JSON.stringify({ id: receipt.id, durability }))
