import type { HttpBindings } from '@hono/node-server'
import { RESPONSE_ALREADY_SENT } from '@hono/node-server/utils/response'
import { toWire } from './answers.ts'
import type { HeaderReader } from './headers.ts'
import type { Reply } from './under-faults.ts'

/** Reads one header; a header sent twice comes joined by a comma. */
export function headerReader({ incoming }: HttpBindings): HeaderReader {
  return (name) => incoming.headersDistinct[name]?.join(', ')
}

/** Ends the connection without an answer. */
export function cut({ incoming }: HttpBindings): Response {
  incoming.socket.destroy()
  return RESPONSE_ALREADY_SENT
}

/** Sends the reply, or as much of it as the fault lets through. */
export function deliver(reply: Reply, env: HttpBindings): Response {
  if (reply.cut === 'all') return cut(env)
  const { status, headers, body } = toWire(reply.answer, headerReader(env))
  if (reply.cut !== 'body') return new Response(body, { status, headers: { ...headers } })
  const { outgoing } = env
  outgoing.writeHead(status, { ...headers, 'content-length': body.byteLength })
  outgoing.write(body.subarray(0, body.byteLength >> 1), () => outgoing.socket?.destroy())
  return RESPONSE_ALREADY_SENT
}
