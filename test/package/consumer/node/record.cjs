const { grantTokens } = require('metertap/grant')
const { createAgent, defineMeter } = require('metertap/node')
const z = require('zod')

const { RELAY = '', GRANT_SECRET = '' } = process.env
const apiCalls = defineMeter('api_calls', z.object({ feature: z.string(), quantity: z.int().positive() }))
const meters = [apiCalls]
const usage = createAgent({
  folder: './usage-cjs',
  relay: RELAY,
  token: grantTokens({ relay: RELAY, keyId: 'app', secret: GRANT_SECRET, account: 'acct-1', device: 'server', meters }),
  meters,
})
const receipt = usage.record(apiCalls, { feature: 'import', quantity: 2 })
receipt.durable
  .then((durability) => usage.close().then(() => durability))
  .then((durability) => console.log(JSON.stringify({ id: receipt.id, durability })))
