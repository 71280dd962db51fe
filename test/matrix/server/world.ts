import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'
import { Hono } from 'hono'
import { serve } from '../../../demo/world/serve.ts'
import { type RelayUnderTest, startRelay } from './relay.ts'
import { createSwitchboard, type Switchboard } from './switchboard.ts'

/** Everything of the matrix that is not a browser. */
export interface World {
  /** Origin of the pages. */
  readonly origin: string
  readonly switchboard: Switchboard
  readonly relay: RelayUnderTest
  /** For profiles and databases; removed at the end. */
  readonly folder: string
  /** Accounts whose token endpoint does not answer for now. */
  readonly tokensDown: Set<string>
  close(): Promise<void>
}

const PAGE = '<!doctype html><meta charset="utf-8"><title>matrix</title><script type="module" src="/page.js"></script>'

async function bundlePage(): Promise<string> {
  const { outputFiles } = await build({
    entryPoints: [fileURLToPath(new URL('../page/main.ts', import.meta.url))],
    bundle: true,
    format: 'esm',
    target: 'es2022',
    write: false,
    logLevel: 'error',
  })
  return outputFiles[0]?.text ?? ''
}

export async function startWorld(): Promise<World> {
  await using opened = new AsyncDisposableStack()
  const folder = await mkdtemp(join(tmpdir(), 'metertap-matrix-'))
  opened.defer(() => rm(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 }))
  const script = await bundlePage()
  const switchboard = createSwitchboard()
  const tokensDown = new Set<string>()
  let relay: RelayUnderTest | undefined
  const app = new Hono()
  app.route('/', switchboard.routes)
  app.get('/page', (c) => c.html(PAGE))
  app.get('/page.js', (c) => c.body(script, 200, { 'content-type': 'text/javascript; charset=utf-8' }))
  app.get('/token/:account', async (c) => {
    const account = c.req.param('account')
    if (!relay || tokensDown.has(account)) return c.text('', 503)
    return c.text(await relay.token(account))
  })
  const served = await serve((request) => app.fetch(request))
  opened.defer(() => served.close())
  relay = await startRelay(folder, served.url)
  const { close } = relay
  opened.defer(close)
  const all = opened.move()
  return { origin: served.url, switchboard, relay, folder, tokensDown, close: () => all.disposeAsync() }
}
