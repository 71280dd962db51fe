import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { openGate } from './gate.ts'
import type { RelayHost, RelayParts } from './relay-parts.ts'

/** A relay in a process of its own. Its addresses outlive the process: they lead to whichever lives. */
export interface RelayProcess extends RelayHost {
  /** Undefined while it is dead. */
  readonly pid: number | undefined
  /** How often a process of it ended before stop(). */
  readonly deaths: number
  /** When the next one is started, ms since 1970; undefined while one lives or is about to. */
  readonly nextStartAtMs: number | undefined
  /** SIGKILL: no last word, no last write. Resolves when it is gone; the next one starts by itself. */
  kill(): Promise<void>
  /** Does not wait for the next start's time. Resolves when the relay listens, at once if it does already. */
  start(): Promise<void>
}

export interface RelayProcessOptions {
  /** How long a dead relay stays dead, ms, as if a supervisor took its time. */
  readonly restartAfterMs: number
}

interface Ports {
  readonly url: string
  readonly adminUrl: string
}

const PORT = (url: string): number => Number(new URL(url).port)

/** Starts it, and rejects when the first process cannot listen. */
export async function openRelayProcess(
  parts: RelayParts,
  { restartAfterMs }: RelayProcessOptions,
): Promise<RelayProcess> {
  let child: ChildProcess | undefined
  let starting: Promise<void> | undefined
  let timer: NodeJS.Timeout | undefined
  let nextStartAtMs: number | undefined
  let deaths = 0
  let isStopped = false
  let ports: Ports | undefined
  // A new process has new ports: nobody else can have taken them in between.
  const front = await openGate(() => (ports ? PORT(ports.url) : 0))
  const adminFront = await openGate(() => (ports ? PORT(ports.adminUrl) : 0))

  const cancel = (): void => {
    clearTimeout(timer)
    timer = nextStartAtMs = undefined
  }
  const onEnd = (of: ChildProcess): void => {
    if (of !== child) return
    child = ports = undefined
    if (isStopped) return
    deaths++
    nextStartAtMs = Date.now() + restartAfterMs
    timer = setTimeout(() => void start().catch(() => {}), restartAfterMs)
  }

  async function startNow(): Promise<void> {
    const next = fork(join(import.meta.dirname, 'relay-child.ts'), { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] })
    child = next
    next.once('exit', () => onEnd(next))
    next.send(parts)
    const ended = once(next, 'exit').then(() => undefined)
    const answer = (await Promise.race([once(next, 'message'), ended]))?.[0] as Ports | undefined
    if (!answer) throw new Error('The relay ended before it listened.')
    if (next === child) ports = answer
  }

  function start(): Promise<void> {
    if (isStopped || child) return starting ?? Promise.resolve()
    cancel()
    starting = startNow().finally(() => {
      starting = undefined
    })
    return starting
  }

  async function end(signal: 'SIGKILL' | 'SIGTERM'): Promise<void> {
    const dying = child
    if (!dying) return
    const exit = once(dying, 'exit')
    dying.kill(signal)
    await exit
  }

  const host: RelayProcess = {
    url: front.url,
    adminUrl: adminFront.url,
    get pid() {
      return ports && child?.pid
    },
    get deaths() {
      return deaths
    },
    get nextStartAtMs() {
      return nextStartAtMs
    },
    kill: () => end('SIGKILL'),
    start,
    async stop() {
      isStopped = true
      cancel()
      const patience = setTimeout(() => child?.kill('SIGKILL'), 5_000)
      await end('SIGTERM')
      clearTimeout(patience)
      await Promise.all([front.close(), adminFront.close()])
    },
  }
  try {
    await start()
  } catch (error) {
    await host.stop()
    throw error
  }
  return host
}
