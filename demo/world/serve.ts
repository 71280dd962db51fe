import { once } from 'node:events'
import type { Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { createAdaptorServer } from '@hono/node-server'

export interface Served {
  readonly url: string
  close(): Promise<void>
}

/**
 * Serves a fetch handler, on the loopback by default; port 0 (the default) is any free one. Rejects when the port is
 * taken.
 */
export async function serve(
  fetch: (request: Request) => Response | Promise<Response>,
  port = 0,
  host = '127.0.0.1',
): Promise<Served> {
  const server = createAdaptorServer({ fetch, overrideGlobalObjects: false }) as Server
  server.listen(port, host)
  await once(server, 'listening')
  return {
    url: `http://${host}:${(server.address() as AddressInfo).port}`,
    async close() {
      const closed = once(server, 'close')
      server.close()
      server.closeAllConnections()
      await closed
    },
  }
}
