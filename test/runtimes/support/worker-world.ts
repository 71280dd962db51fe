import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { decodeJwt } from 'jose'
import { type Served, serve } from '../../../demo/world/serve.ts'
import { TinyRelay } from '../../support/tiny-relay.ts'
import { bundleWorker } from '../../support/workerd.ts'

export interface RunningWorker {
  readonly url: string
  /** Kills workerd and what watches over it, in the middle of whatever they do. */
  kill(): Promise<void>
}

/** A relay in this process, and a Worker that is started, killed and started again over the same folder. */
export interface WorkerWorld {
  readonly relay: TinyRelay
  /** While it is down, no request has an answer but 503. */
  isDown: boolean
  start(): Promise<RunningWorker>
  end(): Promise<void>
}

export async function openWorkerWorld(entry: string, bindings: object = {}): Promise<WorkerWorld> {
  await using opened = new AsyncDisposableStack()
  const folder = await mkdtemp(join(tmpdir(), 'metertap-worker-'))
  opened.defer(() => rm(folder, { recursive: true, force: true, maxRetries: 10 }))
  const relay = new TinyRelay()
  const served = await serve((request) => answer(world, request))
  opened.defer(() => served.close())
  const module = join(folder, 'worker.mjs')
  await writeFile(module, await bundleWorker(entry))
  const env = JSON.stringify({ ...bindingsOf(served), ...bindings })
  let running: RunningWorker | undefined
  opened.defer(() => running?.kill())
  const all = opened.move()
  const world: WorkerWorld = {
    relay,
    isDown: false,
    async start() {
      // Two on one folder would be in each other's way.
      await running?.kill()
      running = await startWorker([module, join(folder, 'objects'), env])
      return running
    },
    end: () => all.disposeAsync(),
  }
  return world
}

function bindingsOf({ url }: Served): object {
  return { METERTAP_RELAY: url, METERTAP_GRANT_KEY_ID: 'worker', METERTAP_GRANT_SECRET: 's'.repeat(32) }
}

/** Tokens tell their account, so that the relay's book shows under whose token an event came. */
async function answer({ relay, isDown }: WorkerWorld, request: Request): Promise<Response> {
  if (isDown) return new Response('', { status: 503 })
  if (new URL(request.url).pathname !== '/v1/token') {
    // The server's own request is not quite one.
    const { url, method, headers } = request
    return relay.fetch(new Request(url, { method, headers, body: await request.arrayBuffer() }))
  }
  const { grant } = (await request.json()) as { grant: string }
  return Response.json({ token: `token-of-${decodeJwt(grant).sub}` })
}

/** `args`: the module, the folder for its objects, its bindings as JSON. */
export async function startWorker(
  args: readonly [module: string, folder: string, bindings: string],
): Promise<RunningWorker> {
  const script = join(import.meta.dirname, 'worker-process.ts')
  const child = spawn(process.execPath, [script, ...args], { stdio: ['ignore', 'pipe', 'inherit'] })
  const [line] = (await once(createInterface(child.stdout), 'line')) as [string]
  const { url, pid } = JSON.parse(line) as { url: string; pid: number }
  let isOver = false
  return {
    url,
    async kill() {
      if (isOver) return
      isOver = true
      const ended = once(child, 'exit')
      // The watcher first: it would start workerd anew.
      child.kill('SIGKILL')
      process.kill(pid, 'SIGKILL')
      await ended
      // It still holds the objects' files for a moment.
      while (isRunning(pid)) await new Promise((resolve) => setTimeout(resolve, 5))
    },
  }
}

function isRunning(pid: number): boolean {
  try {
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'))
  } catch {
    return false
  }
}
