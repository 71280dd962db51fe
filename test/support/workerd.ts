import { readFileSync } from 'node:fs'
import type { Readable } from 'node:stream'
import { build } from 'esbuild'

/** A Worker's code as one module, as wrangler would bundle it. */
export async function bundleWorker(entry: string): Promise<string> {
  const bundle = await build({
    ...{ entryPoints: [entry], bundle: true, write: false, format: 'esm' },
    ...{ platform: 'neutral', mainFields: ['module', 'main'], conditions: ['workerd', 'worker', 'browser'] },
    ...{ external: ['cloudflare:workers'], logLevel: 'error' },
  })
  return bundle.outputFiles[0]?.text ?? ''
}

/** workerd is a child of the process that runs Miniflare. */
export function workerdPid(): number {
  const children = readFileSync(`/proc/${process.pid}/task/${process.pid}/children`, 'utf8').trim().split(' ')
  const found = children.find((pid) => readFileSync(`/proc/${pid}/comm`, 'utf8').startsWith('workerd'))
  return Number(found ?? 0)
}

/** The Worker's own log; METERTAP_SHOW_LOG=1 shows it. */
export function drainLog(stdout: Readable, stderr: Readable): void {
  for (const stream of [stdout, stderr]) {
    if (process.env.METERTAP_SHOW_LOG) stream.pipe(process.stderr)
    else stream.resume()
  }
}
