import { once } from 'node:events'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { brotliDecompressSync, gunzipSync, inflateSync } from 'node:zlib'
import type { Arrivals, Format, SinkAnswer, SinkRequest } from './contract.ts'
import { Tally } from './tally.ts'

/** One server for all libraries: stores what it is sent, and can fail as networks do. */
export interface Sink {
  readonly url: string
  readonly arrivals: Arrivals
  /** Bodies of requests with events, as they came, if keeping them was asked for. */
  readonly bodies: readonly Buffer[]
  /** Of the next requests with events, so many are stored, and their answers lost with the connection. */
  loseAnswers(count: number): void
  /** Closes the port and every connection. */
  down(): Promise<void>
  /** Opens the same port again. */
  up(): Promise<void>
  close(): Promise<void>
}

export interface SinkOptions {
  readonly keepBodies?: boolean
}

const INFLATE: Readonly<Record<string, (body: Buffer) => Buffer>> = {
  gzip: gunzipSync,
  deflate: inflateSync,
  br: brotliDecompressSync,
}

async function readBody(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks)
}

/** Any page may call, with whatever headers it likes: the sink judges nobody. */
function corsFor({ headers }: IncomingMessage): Record<string, string> {
  return {
    'access-control-allow-origin': headers.origin ?? '*',
    'access-control-allow-credentials': 'true',
    'access-control-allow-methods': 'GET, POST, PUT, OPTIONS',
    'access-control-allow-headers': headers['access-control-request-headers'] ?? '*',
    'access-control-max-age': '7200',
    vary: 'Origin',
  }
}

class SinkServer implements Sink {
  readonly #format: Format
  readonly #options: SinkOptions
  readonly #tally = new Tally()
  readonly #server: Server
  readonly #sockets = new Set<Socket>()
  readonly bodies: Buffer[] = []
  #toLose = 0
  #port = 0

  constructor(format: Format, options: SinkOptions) {
    this.#format = format
    this.#options = options
    this.#server = createServer((request, response) => {
      // A browser that is killed ends its request wherever it stands.
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

  get arrivals(): Arrivals {
    return this.#tally.arrivals
  }

  loseAnswers(count: number): void {
    this.#toLose = count
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
    for (const socket of this.#sockets) socket.destroy()
    await closed
  }

  close(): Promise<void> {
    return this.down()
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { method = 'GET', url = '/', headers } = request
    const cors = corsFor(request)
    if (method === 'OPTIONS') return void response.writeHead(204, cors).end()
    const packed = await readBody(request)
    const inflate = INFLATE[headers['content-encoding'] ?? ''] ?? ((body) => body)
    const seen: SinkRequest = { method, url: new URL(url, this.url), headers, body: inflate(packed) }
    const events = this.#read(seen)
    if (events && events.length > 0) {
      this.#tally.add(events, packed.length, Date.now())
      if (this.#options.keepBodies) this.bodies.push(packed)
    }
    const answer = await this.#format.answer(seen, events)
    if (events && events.length > 0 && this.#toLose > 0) {
      this.#toLose--
      request.socket.resetAndDestroy()
    } else this.#write(response, answer, cors)
  }

  #read(seen: SinkRequest): ReturnType<Format['read']> {
    try {
      return this.#format.read(seen)
    } catch (error) {
      this.#tally.notUnderstood(`${seen.method} ${seen.url.pathname}: ${(error as Error).message}`)
      return undefined
    }
  }

  #write(response: ServerResponse, answer: SinkAnswer, cors: Record<string, string>): void {
    const { status = 200, type = 'application/json', body, headers = {} } = answer
    response.writeHead(status, { 'content-type': type, ...headers, ...cors })
    response.end(body)
  }
}

export async function openSink(format: Format, options: SinkOptions = {}): Promise<Sink> {
  const sink = new SinkServer(format, options)
  await sink.up()
  return sink
}
