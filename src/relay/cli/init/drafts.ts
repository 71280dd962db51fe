import type { Draft, Framework } from './contract.ts'

const METERS = `import { defineMeter } from 'metertap'
import * as z from 'zod'

/** What is billed. The front end records it; the relay checks it again, by the same schema. */
export const apiCalls = defineMeter('api_calls', z.object({ feature: z.string(), quantity: z.int().positive() }))
`

const configFor = (origins: string): string => `import { defineRelayConfig } from 'metertap/relay'
import { apiCalls } from './meters.ts'

// Secrets come from the environment: see .env.relay.
export default defineRelayConfig({
  publicUrl: 'http://127.0.0.1:8787', // as agents reach it; https:// outside of this machine
  listen: { port: 8787 },
  store: { sqlite: './relay.db' },
  origins: [${origins}], // where pages that record come from
  grants: [{ keyId: 'app' }],
  admin: { listen: { port: 8788 } },
  upstream: { restBase: process.env.METERTAP_UPSTREAM ?? 'https://rest.zuora.com' },
  meters: [
    {
      meter: apiCalls,
      upstream: {
        meterGlobalId: 'api-calls', // the meter's id in Zuora
        fields: { CustomerId: 'account', UsageIdentifier: 'id', UsageDate: 'at', Quantity: 'data.quantity' },
      },
    },
  ],
})
`

const environmentWith = (
  createSecret: () => string,
): string => `# For the relay and your back end. Never in git, never in a page.
METERTAP_GRANT_SECRET_APP=${createSecret()}
METERTAP_ADMIN_KEY=${createSecret()}
# The stand-in for Zuora that \`npx metertap dev-upstream\` runs here. With a tenant of yours: https://rest.zuora.com and
# the id and secret of an OAuth client.
METERTAP_UPSTREAM=http://127.0.0.1:8789
METERTAP_ZUORA_CLIENT_ID=dev
METERTAP_ZUORA_CLIENT_SECRET=dev
`

/** Lines of .gitignore: secrets, and what relay and agent store. */
export function ignoredFor(framework: Framework): string[] {
  const own = { node: ['usage-outbox'], worker: ['.dev.vars', '.wrangler'] }[framework as 'node' | 'worker'] ?? []
  return ['.env.relay', 'relay.db*', ...own]
}

/** The files of a new project. Pure, but for its secrets. */
export function draftsFor(framework: Framework, createSecret: () => string): Draft[] {
  const hasPages = framework === 'vanilla' || framework === 'react'
  return [
    { name: 'meters.ts', text: METERS, about: 'what is billed: make it yours' },
    {
      name: 'relay.config.ts',
      text: configFor(hasPages ? "'http://localhost:5173'" : ''),
      about: 'the relay: what it takes, from whom, and where it goes',
    },
    {
      name: '.env.relay',
      text: environmentWith(createSecret),
      about: 'fresh secrets for it and your back end',
      isSecret: true,
    },
    { name: '.gitignore', text: `node_modules\n${ignoredFor(framework).join('\n')}\n`, about: 'keeps them out of git' },
  ]
}
