import { randomBytes } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'
import { Hono } from 'hono'
import { serve } from '../../demo/world/serve.ts'
import { createGrant } from '../../src/relay.ts'
import type { ZuoraStandIn } from '../../src/zuora-stand-in/contract.ts'
import { startZuoraStandIn } from '../../src/zuora-stand-in/server.ts'
import { type FaultProxy, startProxy } from '../matrix/server/proxy.ts'
import { callsMeter } from '../support/calls-upstream.ts'
import { type RelayActor, relayActor } from './actors/relay.ts'
import { CHAOS_METER_ID, chaosEvents } from './meter.ts'

/** Everything that is not an agent. */
export interface World {
  /** Origin of the pages. */
  readonly origin: string
  readonly relay: RelayActor
  /** The way from the agents to the relay. */
  readonly proxy: FaultProxy
  readonly zuora: ZuoraStandIn
  /** For profiles, databases and outboxes. */
  readonly folder: string
  /** A token for the account, by the ways of a real application; rejects while the relay is away. */
  token(account: string, device: string): Promise<string>
  /** What a Worker is given to reach the relay, and to vouch for its accounts. */
  readonly workerBindings: Readonly<Record<string, string>>
  /** Keeps the folder when `keep` is true, for whoever has to find out. */
  close(keep: boolean): Promise<void>
}

const PAGE = '<!doctype html><meta charset="utf-8"><title>chaos</title><script type="module" src="/page.js"></script>'
const KEY_ID = 'chaos'
const secret = (): string => randomBytes(32).toString('base64url')

/** A port that was free a moment ago: a relay that is killed comes back where it was. */
async function freePort(): Promise<number> {
  const served = await serve(() => new Response())
  await served.close()
  return Number(new URL(served.url).port)
}

async function bundlePage(): Promise<string> {
  const { outputFiles } = await build({
    entryPoints: [fileURLToPath(new URL('page/main.ts', import.meta.url))],
    ...({ bundle: true, format: 'esm', target: 'es2022', write: false, logLevel: 'error' } as const),
  })
  return outputFiles[0]?.text ?? ''
}

export async function startWorld(seed: number): Promise<World> {
  await using opened = new AsyncDisposableStack()
  const folder = await mkdtemp(join(tmpdir(), 'metertap-chaos-'))
  let keep = false
  opened.defer(async () => {
    if (!keep) await rm(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 })
  })
  const client = { clientId: 'chaos', clientSecret: secret() }
  const zuora = await startZuoraStandIn({ clients: [client], meters: [callsMeter(CHAOS_METER_ID)], seed })
  opened.defer(() => zuora.close())
  const [script, port, adminPort] = await Promise.all([bundlePage(), freePort(), freePort()])
  const relayUrl = `http://127.0.0.1:${port}`
  const proxy = await startProxy(relayUrl)
  opened.defer(() => proxy.close())
  const [grantSecret, adminKey] = [secret(), secret()]

  async function token(account: string, device: string): Promise<string> {
    const grant = await createGrant({ keyId: KEY_ID, secret: grantSecret, account, device, meters: [chaosEvents.name] })
    const headers = { 'content-type': 'application/json' }
    const answer = await fetch(`${relayUrl}/v1/token`, { method: 'POST', headers, body: JSON.stringify({ grant }) })
    if (!answer.ok) throw new Error(`The relay answered ${answer.status} when asked for a token.`)
    return ((await answer.json()) as { token: string }).token
  }

  const app = new Hono()
  app.get('/page', (c) => c.html(PAGE))
  app.get('/page.js', (c) => c.body(script, 200, { 'content-type': 'text/javascript; charset=utf-8' }))
  app.get('/token/:account', async (c) => {
    const given = await token(c.req.param('account'), 'browser').catch(() => undefined)
    return given === undefined ? c.text('', 503) : c.text(given)
  })
  const site = await serve((request) => app.fetch(request))
  opened.defer(() => site.close())
  const relay = relayActor({
    ...{ publicUrl: proxy.url, port, adminPort, database: join(folder, 'relay.db'), upstream: zuora.url, client },
    ...{ keyId: KEY_ID, grantSecret, adminKey, origin: site.url },
  })
  await relay.start()
  opened.defer(() => relay.stop())
  const all = opened.move()
  return {
    ...{ origin: site.url, relay, proxy, zuora, folder, token },
    workerBindings: {
      ...{ METERTAP_RELAY: proxy.url, METERTAP_GRANT_KEY_ID: KEY_ID, METERTAP_GRANT_SECRET: grantSecret },
    },
    close(isKept) {
      keep = isKept
      return all.disposeAsync()
    },
  }
}
