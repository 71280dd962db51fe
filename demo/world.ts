import { randomBytes } from 'node:crypto'
import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Hono } from 'hono'
import { createRelay, type Relay, type RelayOptions } from '../src/relay.ts'
import { createLedgerReader } from './product/ledger.ts'
import { createProduct } from './product/server.ts'
import { createUsageTokens } from './product/usage-token.ts'
import { loadAssets } from './world/bundle.ts'
import { type Gate, openGate } from './world/gate.ts'
import { METER_ROUTES, ZUORA_METERS } from './world/meter-routes.ts'
import { serve } from './world/serve.ts'
import type { ZuoraStandIn } from './zuora/contract.ts'
import { startZuoraStandIn } from './zuora/server.ts'

export interface WorldOptions {
  /** Port of the product page. Default 0: any free one. */
  readonly port?: number
  /** Folder of the relay's database, kept at the end. Default: a temporary one. */
  readonly dataFolder?: string
}

/** Everything that is needed between a click and a bill. */
export interface World {
  /** The product page. */
  readonly pageUrl: string
  /** The relay as browsers reach it: through the gate. */
  readonly gate: Gate
  readonly relay: Relay
  /** The relay's own address. */
  readonly relayUrl: string
  /** The address of the relay's operator API; it wants `adminKey`. */
  readonly adminUrl: string
  readonly adminKey: string
  /** What a back end needs to make grants. */
  readonly grants: { readonly keyId: string; readonly secret: string }
  readonly zuora: ZuoraStandIn
  /** Ends all of it and removes the temporary folder. */
  close(): Promise<void>
}

/** The demo replays logs that are years old. */
const MAX_EVENT_AGE_MS = 30 * 365 * 86_400_000
const GRANT_KEY_ID = 'halftone'

const secret = (): string => randomBytes(32).toString('base64url')

/**
 * Starts the stand-in for Zuora, the relay and the product with its back end, all on the loopback.
 *
 * @example
 * const world = await startWorld()
 * console.log(world.pageUrl)
 * await world.close()
 */
export async function startWorld({ port = 0, dataFolder }: WorldOptions = {}): Promise<World> {
  await using opened = new AsyncDisposableStack()
  const folder = dataFolder ?? (await mkdtemp(join(tmpdir(), 'metertap-demo-')))
  if (dataFolder === undefined) opened.defer(() => rm(folder, { recursive: true, force: true }))
  await mkdir(folder, { recursive: true })
  const keys = { adminKey: secret(), grantSecret: secret(), clientSecret: secret() }
  const client = { clientId: 'halftone-relay', clientSecret: keys.clientSecret }
  const zuora = await startZuoraStandIn({ clients: [client], meters: ZUORA_METERS })
  opened.defer(() => zuora.close())

  // Relay and product name each other's addresses, so both ports are opened before there is anything behind them.
  let relayPort = 0
  const gate = await openGate(() => relayPort)
  opened.defer(() => gate.close())
  let product: Pick<Hono, 'fetch'> | undefined
  const site = await serve((request) => product?.fetch(request) ?? new Response(null, { status: 503 }), port)
  opened.defer(() => site.close())

  const relay = await createRelay(
    relayConfig({ folder, zuora, client, relayOrigin: gate.url, siteOrigin: site.url, ...keys }),
  )
  opened.defer(() => relay.stop())
  const { url: relayUrl, adminUrl = '' } = await relay.start()
  relayPort = Number(new URL(relayUrl).port)

  const { adminKey, grantSecret } = keys
  product = createProduct({
    assets: await loadAssets(),
    gate,
    outbox: dataFolder === undefined ? `halftone-${randomBytes(4).toString('hex')}` : 'halftone',
    usageToken: createUsageTokens({ relayUrl, keyId: GRANT_KEY_ID, secret: grantSecret }),
    readLedger: createLedgerReader({ adminUrl, adminKey, upstream: zuora.ledger }),
  })
  const all = opened.move()
  const grants = { keyId: GRANT_KEY_ID, secret: grantSecret }
  return {
    pageUrl: site.url,
    gate,
    relay,
    relayUrl,
    adminUrl,
    adminKey,
    grants,
    zuora,
    close: () => all.disposeAsync(),
  }
}

interface RelayParts {
  readonly folder: string
  readonly zuora: ZuoraStandIn
  readonly client: { readonly clientId: string; readonly clientSecret: string }
  readonly relayOrigin: string
  readonly siteOrigin: string
  readonly adminKey: string
  readonly grantSecret: string
}

function relayConfig({
  folder,
  zuora,
  client,
  relayOrigin,
  siteOrigin,
  adminKey,
  grantSecret,
}: RelayParts): RelayOptions {
  return {
    publicUrl: relayOrigin,
    listen: { port: 0 },
    store: { sqlite: join(folder, 'relay.db') },
    meters: METER_ROUTES,
    upstream: { restBase: zuora.url, ...client },
    grants: [{ keyId: GRANT_KEY_ID, secret: grantSecret }],
    origins: [siteOrigin],
    admin: { key: adminKey, listen: { port: 0 } },
    limits: { maxEventAgeMs: MAX_EVENT_AGE_MS },
  }
}
