import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'

/** A stretch of cable between the browsers and the relay, that one can cut. */
export interface Gate {
  readonly url: string
  /** When the cable is whole again, ms since 1970; undefined while it is. */
  readonly cutUntilMs: number | undefined
  /** Drops every connection, and every new one, for this long. */
  cut(durationMs: number): void
  close(): Promise<void>
}

/** Passes bytes from a free port of the loopback to `targetPort()`, which may become known later. */
export async function openGate(targetPort: () => number): Promise<Gate> {
  const sockets = new Set<Socket>()
  let cutUntilMs = 0
  const dropAll = (): void => {
    for (const socket of sockets) socket.resetAndDestroy()
  }
  const join = (near: Socket, far: Socket): void => {
    sockets.add(near)
    near.on('error', () => far.destroy())
    near.on('close', () => {
      sockets.delete(near)
      far.destroy()
    })
    near.pipe(far)
  }
  const server = createServer((socket) => {
    if (Date.now() < cutUntilMs) {
      // Without a listener the reset's own error would end the process.
      socket.on('error', () => {})
      socket.resetAndDestroy()
      return
    }
    const relay = connect(targetPort(), '127.0.0.1')
    join(socket, relay)
    join(relay, socket)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    get cutUntilMs() {
      return Date.now() < cutUntilMs ? cutUntilMs : undefined
    },
    cut(durationMs) {
      cutUntilMs = Date.now() + durationMs
      dropAll()
    },
    async close() {
      const closed = once(server, 'close')
      server.close()
      dropAll()
      await closed
    },
  }
}
