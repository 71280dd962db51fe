/**
 * The edge relay in workerd, run by a process of its own so that both can be killed at once. Prints
 * `{ url, adminUrl, pid }` as one line: `pid` is workerd's own.
 * Usage: node edge-process.ts <folder for its objects> <upstream origin> <shards>
 */
import { join } from 'node:path'
import { convertV4MiniflareOptions, Miniflare } from 'miniflare'
import { bundlePage } from '../../../src/relay/console/bundle-page.ts'
import { ADMIN_KEY, GRANT_SECRET } from '../../support/addresses.ts'
import { bundleWorker, drainLog, workerdPid } from '../../support/workerd.ts'

const [folder = '', upstream = '', shards = '2'] = process.argv.slice(2)

const page = await bundlePage()
/** As static assets answer. */
function serveConsole(request: { readonly url: string }): Response {
  const file = page[new URL(request.url).pathname.slice(1) as keyof typeof page]
  return file === undefined ? new Response('', { status: 404 }) : new Response(file.text)
}

const object = (className: string) => ({ className, useSQLite: true })
const options = convertV4MiniflareOptions({
  ...{
    modules: true,
    script: await bundleWorker(join(import.meta.dirname, 'edge-worker.ts')),
    compatibilityDate: '2026-06-01',
    cf: false,
  },
  ...{ host: '127.0.0.1', port: 0, handleRuntimeStdio: drainLog },
  durableObjects: {
    USAGE_SHARD: object('UsageShard'),
    USAGE_KEYS: object('UsageKeys'),
    USAGE_GATE: object('UsageGate'),
  },
  serviceBindings: { USAGE_CONSOLE: serveConsole },
  bindings: {
    ...{ UPSTREAM: upstream, SHARDS: shards },
    ...{ METERTAP_GRANT_SECRET_APP: GRANT_SECRET, METERTAP_ADMIN_KEY: ADMIN_KEY },
  },
})
const server = new Miniflare({ ...options, resourcePersistencePath: folder })
const url = (await server.ready).origin
// The Worker's log goes on when nobody reads any more.
process.stdout.on('error', () => {})
process.stdout.write(`${JSON.stringify({ url, adminUrl: `${url}/admin`, pid: workerdPid() })}\n`)
process.on('SIGTERM', () => server.dispose().then(() => process.exit(0)))
