/**
 * A Worker in workerd, run by a process of its own so that both can be killed at once. Prints `{ url, pid }` as one line:
 * `pid` is workerd's own. Usage: node worker-process.ts <module> <folder for its objects> <bindings as JSON>
 */
import { readFileSync } from 'node:fs'
import { convertV4MiniflareOptions, Miniflare } from 'miniflare'
import { drainLog, workerdPid } from '../../support/workerd.ts'

const [file = '', folder = '', bindings = '{}'] = process.argv.slice(2)

const options = convertV4MiniflareOptions({
  ...{ modules: true, script: readFileSync(file, 'utf8'), compatibilityDate: '2026-06-01', cf: false },
  ...{ host: '127.0.0.1', port: 0, handleRuntimeStdio: drainLog },
  durableObjects: { USAGE_OUTBOX: { className: 'UsageOutbox', useSQLite: true } },
  bindings: JSON.parse(bindings) as Record<string, string>,
})
const server = new Miniflare({ ...options, resourcePersistencePath: folder })
const url = (await server.ready).origin
process.stdout.write(`${JSON.stringify({ url, pid: workerdPid() })}\n`)
process.on('SIGTERM', () => server.dispose().then(() => process.exit(0)))
