import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createGrant } from '../../../src/relay.ts'
import { ADMIN_KEY, GRANT_SECRET } from '../../support/relay-fixture.ts'

const HEAP_CAPS = ['--max-old-space-size=128', '--max-semi-space-size=4']

export interface Attacked {
  readonly url: string
  /** Most memory that the relay has had, bytes. */
  peakBytes(): number
  /** A token for the account, as its back end and browser get it. */
  token(account: string, device?: string): Promise<string>
  /** A request from an address of its own choice. */
  request(path: string, init?: RequestInit & { readonly from?: string }): Promise<Response>
  /** POST /v1/events with a batch, or with bytes as they are. */
  send(token: string, body: unknown, options?: SendOptions): Promise<Response>
  admin(path: string): Promise<Record<string, unknown>>
  /** A connection that speaks for itself. */
  raw(): Promise<Socket>
  close(): Promise<void>
}

export interface SendOptions {
  readonly from?: string
  readonly headers?: Record<string, string>
}

export async function startAttacked(upstream = 'http://127.0.0.1:9'): Promise<Attacked> {
  const folder = mkdtempSync(join(tmpdir(), 'metertap-hostile-'))
  const script = join(import.meta.dirname, 'relay-process.ts')
  // With a small heap, as in a small container: what an attack really holds shows as a crash, and garbage that waits
  // for its collector does not count.
  const child = spawn(process.execPath, [...HEAP_CAPS, script, join(folder, 'relay.db'), upstream], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const { url, adminUrl } = await readAddresses(child)
  const request: Attacked['request'] = (path, { from = '10.0.0.1', headers, ...init } = {}) =>
    fetch(`${url}${path}`, { ...init, headers: { 'X-Forwarded-For': from, ...headers } })
  return {
    url,
    peakBytes: () => Number(/VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${child.pid}/status`, 'utf8'))?.[1]) * 1024,
    request,
    async token(account, device = 'laptop') {
      const owner = { account, device, meters: ['calls', 'loose'] }
      const grant = await createGrant({ keyId: 'app', secret: GRANT_SECRET, ...owner })
      const headers = { 'Content-Type': 'application/json' }
      const response = await request('/v1/token', { method: 'POST', headers, body: JSON.stringify({ grant }) })
      return ((await response.json()) as { token: string }).token
    },
    send(token, body, { from, headers } = {}) {
      const isBytes = body instanceof Uint8Array || typeof body === 'string'
      return request('/v1/events', {
        ...{ method: 'POST', body: (isBytes ? body : JSON.stringify(body)) as NonNullable<RequestInit['body']> },
        headers: { Authorization: `Bearer ${token}`, 'Content-Type': 'application/json', ...headers },
        ...(from === undefined ? {} : { from }),
      })
    },
    async admin(path) {
      const response = await fetch(`${adminUrl}${path}`, { headers: { Authorization: `Bearer ${ADMIN_KEY}` } })
      return (await response.json()) as Record<string, unknown>
    },
    async raw() {
      const { hostname, port } = new URL(url)
      const socket = connect(Number(port), hostname)
      await once(socket, 'connect')
      return socket
    },
    async close() {
      child.kill('SIGTERM')
      const [code] = await once(child, 'exit')
      rmSync(folder, { recursive: true })
      if (code !== 0) throw new Error(`The relay ended with ${code}.`)
    },
  }
}

async function readAddresses(child: ChildProcess): Promise<{ url: string; adminUrl: string }> {
  let text = ''
  for await (const chunk of child.stdout as AsyncIterable<Buffer>) {
    text += chunk
    if (text.includes('\n')) return JSON.parse(text)
  }
  throw new Error('The relay did not start.')
}

/** Sends text over a raw connection and gives back what comes until it closes, or until waitMs. */
export async function exchange(socket: Socket, text: string, waitMs = 3_000): Promise<string> {
  let answer = ''
  socket.on('data', (data) => (answer += data.toString('latin1')))
  socket.on('error', () => {})
  socket.write(Buffer.from(text, 'latin1'))
  const timeout = setTimeout(() => socket.destroy(), waitMs)
  if (!socket.closed) await once(socket, 'close')
  clearTimeout(timeout)
  return answer
}
