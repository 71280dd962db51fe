import { createServer, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Readable } from 'node:stream'

export interface HttpRelay {
  readonly url: string
  close(): Promise<void>
}

/** Serves a relay's fetch at a port of this machine. Where that rejects, the connection breaks. */
export async function serveRelay(fetch: typeof globalThis.fetch): Promise<HttpRelay> {
  const server = createServer(async (incoming, outgoing) => {
    try {
      const answer = await fetch(requestOf(incoming))
      const body = Buffer.from(await answer.arrayBuffer())
      outgoing.writeHead(answer.status, Object.fromEntries(answer.headers)).end(body)
    } catch {
      incoming.socket.destroy()
    }
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}

function requestOf(incoming: IncomingMessage): Request {
  const { url = '/', method = 'GET', headers } = incoming
  const init = { method, headers: headers as Record<string, string> }
  if (method === 'GET' || method === 'HEAD') return new Request(`http://relay.test${url}`, init)
  const body = Readable.toWeb(incoming) as ReadableStream
  return new Request(`http://relay.test${url}`, { ...init, body, duplex: 'half' } as RequestInit)
}
