import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createGrant } from '../../src/relay.ts'
import { type Child, startChild } from '../harness/child.ts'
import { benchRequests } from '../subjects/meter.ts'
import { GRANT_KEY_ID, GRANT_SECRET, type Listening, type LoadOrder, type LoadResult } from './contract.ts'

export const SERVERS = ['relay', 'commit floor', 'parse floor'] as const
export type ServerName = (typeof SERVERS)[number]

export interface Running extends Listening {
  readonly pid: number
  stop(): Promise<void>
}

/** The bench's programs, started on demand, with one folder for their databases. */
export interface Servers {
  start(name: ServerName): Promise<Running>
  /** A relay on the named file, or on postgres://…; with an upstream it forwards. */
  startRelay(database: string, upstream?: string): Promise<Running>
  load(order: LoadOrder): Promise<LoadResult>
  close(): Promise<void>
}

const script = (name: string): string => join(import.meta.dirname, name)

export async function openServers(): Promise<Servers> {
  const folder = await mkdtemp(join(tmpdir(), 'metertap-bench-relay-'))
  const children: Child<unknown>[] = []
  async function launch(file: string, parameters: readonly string[]): Promise<Running> {
    const child = startChild<Listening>(script(file), parameters)
    children.push(child)
    return { ...(await child.ask()), pid: child.pid, stop: child.stop }
  }
  const startRelay: Servers['startRelay'] = (database, upstream) =>
    launch('serve-relay.ts', [
      /^postgres:/.test(database) ? database : join(folder, database),
      ...(upstream === undefined ? [] : [upstream]),
    ])
  return {
    startRelay,
    start(name) {
      if (name === 'relay') return startRelay('relay.db')
      return launch('serve-floor.ts', name === 'commit floor' ? [join(folder, 'floor.db')] : [])
    },
    async load(order) {
      const client = startChild<LoadResult>(script('load.ts'))
      try {
        return await client.ask(order)
      } finally {
        await client.stop()
      }
    },
    async close() {
      await Promise.all(children.map((child) => child.stop()))
      await rm(folder, { recursive: true, force: true, maxRetries: 5 })
    },
  }
}

/** Tokens as devices get them: a signed grant, swapped at the relay. */
export function fetchTokens(url: string, count: number): Promise<string[]> {
  return Promise.all(
    Array.from({ length: count }, async (_, nth) => {
      const owner = { account: `account-${nth % 8}`, device: `device-${nth}`, meters: [benchRequests.name] }
      const grant = await createGrant({ keyId: GRANT_KEY_ID, secret: GRANT_SECRET, ...owner })
      const headers = { 'content-type': 'application/json' }
      const answer = await fetch(`${url}/v1/token`, { method: 'POST', headers, body: JSON.stringify({ grant }) })
      if (!answer.ok) throw new Error(`The relay answered ${answer.status} when asked for a token.`)
      return ((await answer.json()) as { token: string }).token
    }),
  )
}
