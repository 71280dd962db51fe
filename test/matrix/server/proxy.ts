import { once } from 'node:events'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'

/** A request with events, as it stands between browser and relay. */
export interface Exchange {
  readonly path: string
  /** Bytes on the wire. */
  readonly bytes: number
  /** Hands it to the relay and gives the answer back, unless told otherwise. */
  pass(options?: { readonly answer: boolean }): Promise<void>
  reply(status: number, headers?: Readonly<Record<string, string>>): void
  /** Resets the connection. */
  cut(): void
  /** The browser has let go of the connection, or the answer is out. */
  readonly ended: Promise<unknown>
}

/** What the proxy does with one exchange. */
export type Action = (exchange: Exchange) => void | Promise<void>

export const pass: Action = (exchange) => exchange.pass()
/** The relay stores it, the browser never hears of that. */
export const loseAnswer: Action = async (exchange) => {
  await exchange.pass({ answer: false })
  exchange.cut()
}
export const cut: Action = (exchange) => exchange.cut()

/** A request that has arrived and goes no further until it is released. */
export interface Held {
  readonly arrived: Promise<Exchange>
  /** Resolves when the action is over. */
  release(action: Action): Promise<void>
}

/** A stretch of network between browsers and relay that misbehaves on request. One per cell. */
export interface FaultProxy {
  readonly url: string
  /** When each request with events arrived, ms since 1970. */
  readonly arrivalsMs: readonly number[]
  /** Actions for the next requests, one each; then `always` holds, by default pass. */
  next(...actions: readonly Action[]): void
  always(action: Action): void
  /** Forgets what was planned: everything passes. */
  calm(): void
  hold(): Held
  /** Closes the port and every connection. */
  down(): Promise<void>
  /** Opens the same port again. */
  up(): Promise<void>
  close(): Promise<void>
}

const EVENT_PATHS = new Set(['/v1/events', '/v1/exit'])
/** Between the two hops; the rest is the request's own. */
const HOP_HEADERS = new Set(['host', 'connection', 'keep-alive', 'content-length', 'transfer-encoding', 'expect'])

async function readBody(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks)
}

function headersOf(request: IncomingMessage): Record<string, string> {
  const headers: Record<string, string> = {}
  for (const [name, value] of Object.entries(request.headers)) {
    if (!HOP_HEADERS.has(name) && typeof value === 'string') headers[name] = value
  }
  return headers
}

async function forward(relayUrl: string, request: IncomingMessage, body: Buffer): Promise<Response> {
  const { method = 'GET', url = '/' } = request
  const init: RequestInit = { method, headers: headersOf(request), redirect: 'manual' }
  return await fetch(relayUrl + url, body.length > 0 ? { ...init, body: new Uint8Array(body) } : init)
}

async function answerWith(response: ServerResponse, from: Response): Promise<void> {
  const body = Buffer.from(await from.arrayBuffer())
  response.writeHead(from.status, Object.fromEntries(from.headers))
  response.end(body)
}

function exchangeOf(relayUrl: string, request: IncomingMessage, body: Buffer, response: ServerResponse): Exchange {
  const cors = {
    'access-control-allow-origin': request.headers.origin ?? '*',
    'access-control-expose-headers': 'Retry-After',
    vary: 'Origin',
  }
  return {
    path: request.url ?? '',
    bytes: body.length,
    async pass({ answer } = { answer: true }) {
      const from = await forward(relayUrl, request, body)
      if (answer) await answerWith(response, from)
      else await from.arrayBuffer()
    },
    reply(status, headers = {}) {
      response.writeHead(status, { ...cors, 'content-type': 'text/html', ...headers })
      response.end('<h1>The gateway says no.</h1>')
    },
    cut: () => void request.socket.resetAndDestroy(),
    ended: once(response, 'close'),
  }
}

class ProxyServer implements FaultProxy {
  readonly arrivalsMs: number[] = []
  readonly #relayUrl: string
  readonly #queue: Action[] = []
  readonly #server: Server
  readonly #sockets = new Set<Socket>()
  #always: Action = pass
  #port = 0

  constructor(relayUrl: string) {
    this.#relayUrl = relayUrl
    this.#server = createServer((request, response) => {
      // A browser that is killed ends its request wherever it stands: that is what the matrix is for.
      this.#serve(request, response).catch(() => response.destroy())
    })
    this.#server.on('connection', (socket: Socket) => {
      this.#sockets.add(socket)
      socket.on('close', () => this.#sockets.delete(socket))
    })
  }

  get url(): string {
    return `http://127.0.0.1:${this.#port}`
  }

  next(...actions: readonly Action[]): void {
    this.#queue.push(...actions)
  }

  always(action: Action): void {
    this.#always = action
  }

  calm(): void {
    this.#queue.length = 0
    this.#always = pass
  }

  hold(): Held {
    const { promise: arrived, resolve } = Promise.withResolvers<Exchange>()
    const released = Promise.withResolvers<Action>()
    const over = Promise.withResolvers<void>()
    this.next(async (exchange) => {
      resolve(exchange)
      try {
        await (await released.promise)(exchange)
      } finally {
        over.resolve()
      }
    })
    const release = (action: Action): Promise<void> => {
      released.resolve(action)
      return over.promise
    }
    return { arrived, release }
  }

  async up(): Promise<void> {
    this.#server.listen(this.#port, '127.0.0.1')
    await once(this.#server, 'listening')
    this.#port = (this.#server.address() as AddressInfo).port
  }

  async down(): Promise<void> {
    if (!this.#server.listening) return
    const closed = once(this.#server, 'close')
    this.#server.close()
    // Also those on which a browser has asked for nothing yet, of which HTTP knows nothing.
    for (const socket of this.#sockets) socket.destroy()
    await closed
  }

  close(): Promise<void> {
    return this.down()
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = await readBody(request)
    const exchange = exchangeOf(this.#relayUrl, request, body, response)
    if (request.method !== 'POST' || !EVENT_PATHS.has(exchange.path)) return exchange.pass()
    this.arrivalsMs.push(Date.now())
    await (this.#queue.shift() ?? this.#always)(exchange)
  }
}

export async function startProxy(relayUrl: string): Promise<FaultProxy> {
  const proxy = new ProxyServer(relayUrl)
  await proxy.up()
  return proxy
}
