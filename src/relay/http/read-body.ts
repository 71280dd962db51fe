import type { Share } from '../limits/budget.ts'
import { HttpProblem, unavailable } from '../problem.ts'
import type { Inflate } from './inflate.ts'

export interface BodyCaps {
  readonly maxWireBytes: number
  readonly maxBodyBytes: number
  /** Inflated bytes for each byte on the wire. */
  readonly maxInflateRatio: number
  /** How long the body may take to arrive. */
  readonly timeoutMs: number
  /** The sender's share of the memory for bodies. */
  readonly open: Share
  readonly inflate: Inflate
}

export interface Body {
  readonly bytes: Uint8Array
  readonly wireBytes: number
}

/** Bodies up to this size may be compressed as much as gzip can: many equal events are no attack. */
const RATIO_FREE_BYTES = 2 ** 20

/**
 * Reads a request's body as it arrives, inflating gzip on the way, and stops at the first cap that it meets: no client
 * can make the relay hold more. The bytes count against the sender's share while `use` runs.
 *
 * Errors: HttpProblem unsupported_encoding, body_too_large, inflated_too_large, ratio_too_high, not_gzip, body_timeout,
 * rate_limited, overloaded, unavailable.
 */
export async function withBody<T>(request: Request, caps: BodyCaps, use: (body: Body) => Promise<T>): Promise<T> {
  const isGzip = readEncoding(request) === 'gzip'
  if (Number(request.headers.get('content-length')) > caps.maxWireBytes) throw wireTooLarge(caps)
  const reading = { wireBytes: 0, bytes: 0, chunks: [] as Uint8Array[] }
  const arriving = arrive(request, caps, reading)
  try {
    if (isGzip) await inflate(arriving, caps, reading)
    else for await (const chunk of arriving) keep(chunk, caps, reading)
    return await use({ bytes: join(reading), wireBytes: reading.wireBytes })
  } finally {
    caps.open.give(reading.bytes)
  }
}

interface Reading {
  wireBytes: number
  /** Inflated bytes, taken from the share. */
  bytes: number
  readonly chunks: Uint8Array[]
}

function readEncoding(request: Request): 'gzip' | 'identity' {
  const name = (request.headers.get('content-encoding') ?? '').trim().toLowerCase()
  if (name === 'gzip') return 'gzip'
  if (name === '' || name === 'identity') return 'identity'
  throw new HttpProblem('unsupported_encoding', 'Send Content-Encoding: gzip, or no Content-Encoding.', {
    'Accept-Encoding': 'gzip',
  })
}

/** The body's chunks, until the cap or the deadline. Leaving the loop early cancels the stream. */
async function* arrive(request: Request, caps: BodyCaps, reading: Reading): AsyncGenerator<Uint8Array> {
  if (request.body === null) return
  const reader = request.body.getReader()
  const late = Promise.withResolvers<never>()
  late.promise.catch(() => {})
  const timeout = setTimeout(() => late.reject(tooSlow(caps)), caps.timeoutMs)
  try {
    for (;;) {
      const { done, value } = await Promise.race([reader.read(), late.promise]).catch((error: unknown) => {
        if (error instanceof HttpProblem) throw error
        throw unavailable('The body ended before it was complete: send the same batch again.', 1)
      })
      if (done) return
      reading.wireBytes += value.byteLength
      if (reading.wireBytes > caps.maxWireBytes) throw wireTooLarge(caps)
      yield value
    }
  } finally {
    clearTimeout(timeout)
    reader.cancel().catch(() => {})
  }
}

async function inflate(arriving: AsyncGenerator<Uint8Array>, caps: BodyCaps, reading: Reading): Promise<void> {
  try {
    await caps.inflate(arriving, (chunk) => keep(chunk, caps, reading))
  } catch (error) {
    if (error instanceof HttpProblem) throw error
    throw notGzip()
  }
  // The decoder takes nothing at all for a whole stream.
  if (reading.wireBytes === 0) throw notGzip()
}

function keep(chunk: Uint8Array, caps: BodyCaps, reading: Reading): void {
  const bytes = reading.bytes + chunk.byteLength
  if (bytes > caps.maxBodyBytes) throw bodyTooLarge(caps)
  if (bytes > RATIO_FREE_BYTES && bytes > reading.wireBytes * caps.maxInflateRatio) throw ratioTooHigh(caps)
  const taken = caps.open.take(chunk.byteLength)
  if (taken !== 'taken') throw noMemory(taken)
  reading.bytes = bytes
  reading.chunks.push(chunk)
}

function join({ chunks, bytes }: Reading): Uint8Array {
  const whole = new Uint8Array(bytes)
  let at = 0
  for (const chunk of chunks) {
    whole.set(chunk, at)
    at += chunk.byteLength
  }
  return whole
}

/** Refuses another content type than the one given; parameters other than a charset of UTF-8 do not matter. */
export function requireType(request: Request, type: string): void {
  const [given = '', ...parameters] = (request.headers.get('content-type') ?? '').toLowerCase().split(';')
  const charset = parameters.map((parameter) => parameter.trim()).find((parameter) => parameter.startsWith('charset='))
  const isUtf8 = charset === undefined || /^charset="?utf-?8"?$/.test(charset)
  if (given.trim() === type && isUtf8) return
  throw new HttpProblem('unsupported_media_type', `Send Content-Type: ${type}, in UTF-8.`)
}

function noMemory(reason: 'own' | 'all'): HttpProblem {
  const retry = { 'Retry-After': '1' }
  if (reason === 'own') {
    return new HttpProblem('rate_limited', 'Your open bodies fill your share of memory: send one after another.', retry)
  }
  const detail = 'The relay reads as many bodies as it has memory for: send the same batch again in a moment.'
  return new HttpProblem('overloaded', detail, retry)
}

function wireTooLarge({ maxWireBytes }: BodyCaps): HttpProblem {
  return new HttpProblem('body_too_large', `A body may have ${maxWireBytes} bytes on the wire: send smaller batches.`)
}

function bodyTooLarge({ maxBodyBytes }: BodyCaps): HttpProblem {
  return new HttpProblem('inflated_too_large', `An inflated body may have ${maxBodyBytes} bytes: send smaller batches.`)
}

function ratioTooHigh({ maxInflateRatio }: BodyCaps): HttpProblem {
  const detail = `A body may inflate to ${maxInflateRatio} times its bytes on the wire: send smaller batches.`
  return new HttpProblem('ratio_too_high', detail)
}

function notGzip(): HttpProblem {
  return new HttpProblem('not_gzip', 'Content-Encoding says gzip, but the body is not a whole gzip stream.')
}

function tooSlow({ timeoutMs }: BodyCaps): HttpProblem {
  return new HttpProblem('body_timeout', `A body has ${timeoutMs} ms to arrive: send smaller batches.`)
}
