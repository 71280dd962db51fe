import type { IncomingMessage, Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { createAdaptorServer } from '@hono/node-server'
import { MetertapError } from '../../wire/errors.ts'
import type { RequestInfo } from './env.ts'
import { readIncoming } from './read-incoming.ts'

export interface RunningServer {
  readonly url: string
  /** Takes no new connection and waits for the open requests, at most graceMs. */
  close(graceMs: number): Promise<void>
}

export interface ListenOptions {
  readonly host: string
  readonly port: number
  /** How many proxies in front add to X-Forwarded-For. */
  readonly trustedProxies: number
  readonly maxConnections: number
  /** How long a whole request may take to arrive. */
  readonly requestTimeoutMs: number
}

/** A client that sends its headers slower than this is cut off. */
const HEADERS_TIMEOUT_MS = 10_000
const CHECK_CONNECTIONS_MS = 2_000
/** Longer than the usual 60 s of a load balancer, so that it is the balancer that closes idle connections. */
const KEEP_ALIVE_TIMEOUT_MS = 65_000
const SWEEP_MS = 50

/**
 * Serves a fetch handler over HTTP.
 *
 * Errors: MetertapError bad_option when the address cannot be used.
 */
export async function listen(
  fetch: (request: Request, info: RequestInfo) => Promise<Response>,
  { host, port, trustedProxies, maxConnections, requestTimeoutMs }: ListenOptions,
): Promise<RunningServer> {
  const server = createAdaptorServer({
    fetch: (request, { incoming }) =>
      fetch(request, {
        address: clientAddress(incoming, trustedProxies),
        readBody: () => readIncoming(incoming),
      }),
    overrideGlobalObjects: false,
    serverOptions: {
      headersTimeout: HEADERS_TIMEOUT_MS,
      requestTimeout: requestTimeoutMs,
      keepAliveTimeout: KEEP_ALIVE_TIMEOUT_MS,
      connectionsCheckingInterval: CHECK_CONNECTIONS_MS,
    },
  }) as Server
  server.maxConnections = maxConnections
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, host, resolve)
  }).catch((error: unknown) => {
    throw cannotListen(error as NodeJS.ErrnoException, host, port)
  })
  const { address, family, port: actualPort } = server.address() as AddressInfo
  return {
    url: `http://${family === 'IPv6' ? `[${address}]` : address}:${actualPort}`,
    close: (graceMs) => close(server, graceMs),
  }
}

/** The parts of a request, of HTTP/1 or 2, that tell whom it is from. */
interface Connection {
  readonly headers: IncomingMessage['headers']
  readonly socket: { readonly remoteAddress?: string | undefined }
}

/** Each trusted proxy adds the address that it saw at the end; what stands before those is the client's own claim. */
function clientAddress({ headers, socket }: Connection, trustedProxies: number): string {
  const peer = socket.remoteAddress ?? 'unknown'
  if (trustedProxies === 0) return peer
  const seen = [headers['x-forwarded-for'] ?? ''].flat().join(',').split(',')
  return seen.at(-trustedProxies)?.trim() || peer
}

async function close(server: Server, graceMs: number): Promise<void> {
  const cut = setTimeout(() => server.closeAllConnections(), graceMs)
  // A connection whose request ends during the drain would be kept alive.
  const sweep = setInterval(() => server.closeIdleConnections(), SWEEP_MS)
  await new Promise<void>((resolve) => server.close(() => resolve()))
  clearTimeout(cut)
  clearInterval(sweep)
}

function cannotListen(error: NodeJS.ErrnoException, host: string, port: number): MetertapError {
  const reasons: Record<string, string> = {
    EADDRINUSE: 'it is in use: stop the other process, or choose another port (listen.port, --port)',
    EACCES: 'this user may not use it: choose a port from 1024 up',
    EADDRNOTAVAIL: 'this machine has no such address: change listen.host',
    ENOTFOUND: 'the host name is not known: change listen.host',
  }
  const reason = reasons[error.code ?? ''] ?? `the system says ${error.code}`
  return new MetertapError('bad_option', `Cannot listen on ${host}:${port}: ${reason}.`, { host, port }, error)
}
