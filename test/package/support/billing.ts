import { randomBytes } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { extname, join } from 'node:path'
import { Hono } from 'hono'
import { type Served, serve } from '../../../demo/world/serve.ts'
import { createGrant } from '../../../src/relay.ts'
import type { ZuoraStandIn } from '../../../src/zuora-stand-in/contract.ts'
import { startZuoraStandIn } from '../../../src/zuora-stand-in/server.ts'
import { callsMeter, UPSTREAM_CLIENT } from '../../support/calls-upstream.ts'
import type { Consumer } from './consumer.ts'

/** The way from the consumer's events to the bill: its own installed relay, and a stand-in for Zuora. */
export interface Billing {
  readonly relayUrl: string
  readonly grantSecret: string
  readonly site: Served
  /** Ids that would be billed so far. */
  billed(): Promise<string[]>
  close(): Promise<void>
}

const METER_ID = 'api-calls-id'
const KEY_ID = 'app'
const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
}
/** No inline script, no eval: what a careful site sends. */
const policy = (relayUrl: string) =>
  `default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self' ${relayUrl}`

async function freePort(): Promise<number> {
  const served = await serve(() => new Response())
  await served.close()
  return Number(new URL(served.url).port)
}

/** Serves the consumer's folder `root`, with a strict Content-Security-Policy, and `/usage-token`. */
function siteOf(consumer: Consumer, token: () => Promise<string>, relayUrl: string): Hono {
  const app = new Hono()
  app.get('/usage-token', async (c) => c.text(await token()))
  app.get('*', async (c) => {
    const path = c.req.path.endsWith('/') ? `${c.req.path}index.html` : c.req.path
    const content = await readFile(join(consumer.folder, path)).catch(() => undefined)
    if (!content) return c.text('There is no such file.', 404)
    const headers = { 'content-type': TYPES[extname(path)] ?? 'application/octet-stream' }
    return c.body(new Uint8Array(content), 200, { ...headers, 'content-security-policy': policy(relayUrl) })
  })
  return app
}

export async function startBilling(consumer: Consumer): Promise<Billing> {
  await using opened = new AsyncDisposableStack()
  const zuora: ZuoraStandIn = await startZuoraStandIn({ clients: [UPSTREAM_CLIENT], meters: [callsMeter(METER_ID)] })
  opened.defer(() => zuora.close())
  const port = await freePort()
  const relayUrl = `http://127.0.0.1:${port}`
  const grantSecret = randomBytes(32).toString('base64url')

  async function token(): Promise<string> {
    const grant = await createGrant({
      ...{ keyId: KEY_ID, secret: grantSecret, account: 'acct-1', device: 'browser', meters: ['api_calls'] },
    })
    const headers = { 'content-type': 'application/json' }
    const answer = await fetch(`${relayUrl}/v1/token`, { method: 'POST', headers, body: JSON.stringify({ grant }) })
    return ((await answer.json()) as { token: string }).token
  }

  const site = await serve((request) => siteOf(consumer, token, relayUrl).fetch(request))
  opened.defer(() => site.close())
  const relay = await consumer.start(
    consumer.path('node_modules/.bin/metertap'),
    ['relay', '--config', 'relay.config.ts'],
    {
      ...{ RELAY_PORT: String(port), SITE_ORIGIN: site.url, UPSTREAM: zuora.url },
      ...{ METERTAP_GRANT_SECRET_APP: grantSecret },
      ...{
        METERTAP_ZUORA_CLIENT_ID: UPSTREAM_CLIENT.clientId,
        METERTAP_ZUORA_CLIENT_SECRET: UPSTREAM_CLIENT.clientSecret,
      },
    },
  )
  opened.defer(() => relay.stop())
  const all = opened.move()
  return {
    ...{ relayUrl, grantSecret, site },
    async billed() {
      return [...zuora.ledger.events(METER_ID)].map(({ UsageIdentifier }) => String(UsageIdentifier))
    },
    close: () => all.disposeAsync(),
  }
}
