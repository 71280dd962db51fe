import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { ADMIN_KEY } from '../../support/relay-fixture.ts'

export interface Addresses {
  readonly url: string
  readonly adminUrl: string
  /** A process behind the one that was started; it dies with it. */
  readonly pid?: number
}

/** One relay after the other on one database: a file, or postgres://… */
export interface MortalRelay {
  /** Where the living one listens; waits until there is one. */
  addresses(): Promise<Addresses>
  /** Starts the next one; `listens` resolves when it answers or is killed, and rejects when it ends by itself. */
  start(): { listens: Promise<Addresses | undefined> }
  /** SIGKILL, and waits for the end. */
  kill(): Promise<void>
  /** SIGTERM: lets it drain; its exit code. */
  stop(): Promise<number | null>
  totals(): Promise<Record<string, number>>
}

export function createMortalRelay(database: string, upstream: string): MortalRelay {
  return createMortal('killed-relay.ts', [database, upstream])
}

/** The edge relay in workerd: its objects live in the folder. */
export function createMortalEdge(folder: string, upstream: string, shards = 2): MortalRelay {
  return createMortal('edge-process.ts', [folder, upstream, String(shards)])
}

function createMortal(script: string, parameters: readonly string[]): MortalRelay {
  let child: ChildProcess | undefined
  let current: Addresses | undefined
  const waiting: ((addresses: Addresses) => void)[] = []

  async function read(of: ChildProcess): Promise<Addresses | undefined> {
    let text = ''
    for await (const chunk of of.stdout as AsyncIterable<Buffer>) {
      text += chunk
      if (!text.includes('\n')) continue
      if (of !== child) return undefined
      current = JSON.parse(text) as Addresses
      for (const resolve of waiting.splice(0)) resolve(current)
      return current
    }
    if (of === child) throw new Error('The relay ended by itself.')
    return undefined
  }

  const addresses = (): Promise<Addresses> =>
    current ? Promise.resolve(current) : new Promise((resolve) => waiting.push(resolve))

  async function end(signal: 'SIGKILL' | 'SIGTERM'): Promise<number | null> {
    const dying = child
    const behind = current?.pid
    current = undefined
    child = undefined
    if (!dying) return null
    const exit = once(dying, 'exit')
    if (behind !== undefined && signal === 'SIGKILL') process.kill(behind, signal)
    dying.kill(signal)
    const [code] = await exit
    return code
  }

  return {
    addresses,
    start() {
      const path = join(import.meta.dirname, script)
      child = spawn(process.execPath, [path, ...parameters], { stdio: ['ignore', 'pipe', 'inherit'] })
      return { listens: read(child) }
    },
    async kill() {
      await end('SIGKILL')
    },
    stop: () => end('SIGTERM'),
    async totals() {
      const { adminUrl } = await addresses()
      const response = await fetch(`${adminUrl}/v1/ledger?limit=1`, {
        headers: { Authorization: `Bearer ${ADMIN_KEY}` },
      })
      return ((await response.json()) as { totals: Record<string, number> }).totals
    },
  }
}
