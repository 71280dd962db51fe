import { HttpProblem, unavailable } from '../problem.ts'

/** Reads a request's body as it arrives and stops at the cap, so that no client can make the relay hold more. */
export async function readBody(request: Request, maxWireBytes: number): Promise<Uint8Array> {
  if (Number(request.headers.get('content-length')) > maxWireBytes) throw tooLarge(maxWireBytes)
  if (request.body === null) return new Uint8Array()
  const chunks: Uint8Array[] = []
  let bytes = 0
  try {
    // Leaving the loop by a throw cancels the stream.
    for await (const chunk of request.body) {
      bytes += chunk.byteLength
      if (bytes > maxWireBytes) throw tooLarge(maxWireBytes)
      chunks.push(chunk)
    }
  } catch (error) {
    if (error instanceof HttpProblem) throw error
    throw unavailable('The body ended before it was complete: send the same batch again.', 1)
  }
  return chunks.length === 1 ? (chunks[0] as Uint8Array) : Buffer.concat(chunks, bytes)
}

/** Refuses another content type than the one given; parameters other than a charset of UTF-8 do not matter. */
export function requireType(request: Request, type: string): void {
  const [given = '', ...parameters] = (request.headers.get('content-type') ?? '').toLowerCase().split(';')
  const charset = parameters.map((parameter) => parameter.trim()).find((parameter) => parameter.startsWith('charset='))
  const isUtf8 = charset === undefined || /^charset="?utf-?8"?$/.test(charset)
  if (given.trim() === type && isUtf8) return
  throw new HttpProblem('unsupported_media_type', `Send Content-Type: ${type}, in UTF-8.`)
}

function tooLarge(maxWireBytes: number): HttpProblem {
  return new HttpProblem('body_too_large', `A body may have ${maxWireBytes} bytes on the wire: send smaller batches.`)
}
