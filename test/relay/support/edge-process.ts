/**
 * The edge relay in workerd, run by a process of its own so that both can be killed at once. Prints
 * `{ url, adminUrl, pid }` as one line: `pid` is workerd's own.
 * Usage: node edge-process.ts <folder for its objects> <upstream origin> <shards>
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Readable } from 'node:stream'
import { build } from 'esbuild'
import { convertV4MiniflareOptions, Miniflare } from 'miniflare'
import { ADMIN_KEY, GRANT_SECRET } from '../../support/addresses.ts'

const [folder = '', upstream = '', shards = '2'] = process.argv.slice(2)

const bundle = await build({
  ...{ entryPoints: [join(import.meta.dirname, 'edge-worker.ts')], bundle: true, write: false, format: 'esm' },
  ...{ platform: 'neutral', mainFields: ['module', 'main'], conditions: ['workerd', 'worker', 'browser'] },
  ...{ external: ['cloudflare:workers'], logLevel: 'error' },
})
const object = (className: string) => ({ className, useSQLite: true })
const options = convertV4MiniflareOptions({
  ...{ modules: true, script: bundle.outputFiles[0]?.text ?? '', compatibilityDate: '2026-06-01', cf: false },
  ...{ host: '127.0.0.1', port: 0, handleRuntimeStdio: drain },
  durableObjects: {
    USAGE_SHARD: object('UsageShard'),
    USAGE_KEYS: object('UsageKeys'),
    USAGE_GATE: object('UsageGate'),
  },
  bindings: {
    ...{ UPSTREAM: upstream, SHARDS: shards },
    ...{ METERTAP_GRANT_SECRET_APP: GRANT_SECRET, METERTAP_ADMIN_KEY: ADMIN_KEY },
  },
})
const server = new Miniflare({ ...options, resourcePersistencePath: folder })
const url = (await server.ready).origin
process.stdout.write(`${JSON.stringify({ url, adminUrl: `${url}/admin`, pid: workerdPid() })}\n`)
process.on('SIGTERM', () => server.dispose().then(() => process.exit(0)))

/** The relay's own log says what the upstream's faults did; METERTAP_SHOW_LOG=1 shows it. */
function drain(stdout: Readable, stderr: Readable): void {
  for (const stream of [stdout, stderr]) {
    if (process.env.METERTAP_SHOW_LOG) stream.pipe(process.stderr)
    else stream.resume()
  }
}

/** workerd is this process's child. */
function workerdPid(): number {
  const children = readFileSync(`/proc/${process.pid}/task/${process.pid}/children`, 'utf8').trim().split(' ')
  const found = children.find((pid) => readFileSync(`/proc/${pid}/comm`, 'utf8').startsWith('workerd'))
  return Number(found ?? 0)
}
