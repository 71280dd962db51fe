import type { Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { createAdaptorServer } from '@hono/node-server'
import { MetertapError } from '../../wire/errors.ts'

export interface RunningServer {
  readonly url: string
  /** Takes no new connection and waits for the open requests, at most graceMs. */
  close(graceMs: number): Promise<void>
}

/** A client that sends its headers or its body slower than this is cut off. */
const HEADERS_TIMEOUT_MS = 10_000
const REQUEST_TIMEOUT_MS = 60_000
/** Longer than the usual 60 s of a load balancer, so that it is the balancer that closes idle connections. */
const KEEP_ALIVE_TIMEOUT_MS = 65_000
const SWEEP_MS = 50

/**
 * Serves a fetch handler over HTTP.
 *
 * Errors: MetertapError bad_option when the address cannot be used.
 */
export async function listen(
  fetch: (request: Request) => Promise<Response>,
  { host, port }: { readonly host: string; readonly port: number },
): Promise<RunningServer> {
  const server = createAdaptorServer({
    fetch,
    overrideGlobalObjects: false,
    serverOptions: {
      headersTimeout: HEADERS_TIMEOUT_MS,
      requestTimeout: REQUEST_TIMEOUT_MS,
      keepAliveTimeout: KEEP_ALIVE_TIMEOUT_MS,
    },
  }) as Server
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
