import { randomBytes } from 'node:crypto'
import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Hono } from 'hono'
import type { ZuoraStandIn } from '../../src/zuora-stand-in/contract.ts'
import { startZuoraStandIn } from '../../src/zuora-stand-in/server.ts'
import { createBillReader } from '../product/bill.ts'
import { createProduct } from '../product/server.ts'
import { createSessions, type Sessions } from '../product/sessions.ts'
import { createUsageTokens } from '../product/usage-token.ts'
import { loadAssets } from './bundle.ts'
import { type Gate, openGate } from './gate.ts'
import { ZUORA_METERS } from './meter-routes.ts'
import type { RelayHost, RelayParts } from './relay-parts.ts'
import { serve } from './serve.ts'

export interface WorldOptions {
  /** Port of the product page. Default 0: any free one. */
  readonly port?: number
  /** Folder of the relay's database, kept at the end. Default: a temporary one. */
  readonly dataFolder?: string
}

/** Everything that is needed between a click and a bill, but for the relay itself. */
export interface Surroundings extends AsyncDisposable {
  /** The product page. */
  readonly pageUrl: string
  /** The relay as browsers reach it: through the gate. */
  readonly gate: Gate
  readonly adminKey: string
  /** What a back end needs to make grants. */
  readonly grants: { readonly keyId: string; readonly secret: string }
  readonly zuora: ZuoraStandIn
  /** Ends all of it and removes the temporary folder. */
  close(): Promise<void>
}

export interface WorldDeps<H extends RelayHost> {
  openRelay(parts: RelayParts): Promise<H>
  /** More routes of the product's server; the product's own come after them. */
  addRoutes?(
    world: Omit<Surroundings, 'close' | typeof Symbol.asyncDispose> & { readonly host: H; readonly sessions: Sessions },
  ): Hono
}

const GRANT_KEY_ID = 'halftone'

const secret = (): string => randomBytes(32).toString('base64url')

/** Starts the stand-in for Zuora, the relay and the product with its back end, all on the loopback. */
export async function openWorld<H extends RelayHost>(
  { port = 0, dataFolder }: WorldOptions,
  { openRelay, addRoutes }: WorldDeps<H>,
): Promise<Surroundings & { readonly host: H }> {
  await using opened = new AsyncDisposableStack()
  const folder = dataFolder ?? (await mkdtemp(join(tmpdir(), 'metertap-demo-')))
  if (dataFolder === undefined) opened.defer(() => rm(folder, { recursive: true, force: true, maxRetries: 5 }))
  await mkdir(folder, { recursive: true })
  const client = { clientId: 'halftone-relay', clientSecret: secret() }
  const zuora = await startZuoraStandIn({ clients: [client], meters: ZUORA_METERS })
  opened.defer(() => zuora.close())

  // Relay and product name each other's addresses, so both ports are opened before there is anything behind them.
  let relayPort = 0
  const gate = await openGate(() => relayPort)
  opened.defer(() => gate.close())
  let app: Pick<Hono, 'fetch'> | undefined
  const site = await serve((request) => app?.fetch(request) ?? new Response(null, { status: 503 }), port)
  opened.defer(() => site.close())

  const adminKey = secret()
  const grants = { keyId: GRANT_KEY_ID, secret: secret() }
  const addresses = { publicUrl: gate.url, siteOrigin: site.url, restBase: zuora.url }
  const host = await openRelay({ folder, ...client, ...addresses, adminKey, grant: grants })
  opened.defer(() => host.stop())
  relayPort = Number(new URL(host.url).port)

  const sessions = createSessions()
  const world = { pageUrl: site.url, gate, adminKey, grants, zuora, host }
  const product = createProduct({
    assets: await loadAssets(),
    sessions,
    relay: gate.url,
    outbox: dataFolder === undefined ? `halftone-${randomBytes(4).toString('hex')}` : 'halftone',
    usageToken: createUsageTokens({ relayUrl: host.url, ...grants }),
    readBill: createBillReader(zuora.ledger),
  })
  const routes = new Hono()
  if (addRoutes) routes.route('/', addRoutes({ ...world, sessions }))
  app = routes.route('/', product)
  const all = opened.move()
  const close = () => all.disposeAsync()
  return { ...world, close, [Symbol.asyncDispose]: close }
}
