import type { Share } from '../limits/budget.ts'
import { HttpProblem, unavailable } from '../problem.ts'
import { bodyTooLarge, noMemory, notGzip, ratioTooHigh, tooSlow, wireTooLarge } from './body-problems.ts'
import type { RequestInfo } from './env.ts'
import type { Inflate } from './inflate.ts'
import { streamOf } from './read-stream.ts'

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
/** 5,000 events of a few fields are 70 KB. */
const SMALL_WIRE_BYTES = 128 * 2 ** 10

/**
 * Reads a request's body as it arrives, inflating gzip on the way, and stops at the first cap that it meets: no client
 * can make the relay hold more. The bytes count against the sender's share while `use` runs.
 *
 * Errors: HttpProblem unsupported_encoding, body_too_large, inflated_too_large, ratio_too_high, not_gzip, body_timeout,
 * rate_limited, overloaded, unavailable.
 */
export async function withBody<T>(
  request: Request,
  caps: BodyCaps,
  use: (body: Body) => Promise<T>,
  readBody: RequestInfo['readBody'] = () => streamOf(request),
): Promise<T> {
  const isGzip = readEncoding(request) === 'gzip'
  if (Number(request.headers.get('content-length')) > caps.maxWireBytes) throw wireTooLarge(caps)
  const reading = { wireBytes: 0, bytes: 0, chunks: [] as Uint8Array[] }
  try {
    await arrive(readBody(), caps, reading, async (arriving) => {
      if (isGzip) await inflate(arriving, caps, reading)
      else for await (const chunk of arriving) keep(chunk, caps, reading)
    })
    return await use({ bytes: join(reading.chunks), wireBytes: reading.wireBytes })
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

/** Gives the body's chunks to `take`, until the cap or the deadline, and lets go of the rest. */
async function arrive(
  source: AsyncIterator<Uint8Array>,
  caps: BodyCaps,
  reading: Reading,
  take: (arriving: AsyncGenerator<Uint8Array>) => Promise<void>,
): Promise<void> {
  const late = Promise.withResolvers<never>()
  late.promise.catch(() => {})
  const timeout = setTimeout(() => late.reject(tooSlow(caps)), caps.timeoutMs)
  try {
    await take(chunksOf(source, late.promise, caps, reading))
  } finally {
    clearTimeout(timeout)
    source.return?.()?.catch(() => {})
  }
}

async function* chunksOf(
  source: AsyncIterator<Uint8Array>,
  late: Promise<never>,
  caps: BodyCaps,
  reading: Reading,
): AsyncGenerator<Uint8Array> {
  for (;;) {
    const { done, value } = await Promise.race([source.next(), late]).catch((error: unknown) => {
      if (error instanceof HttpProblem) throw error
      throw unavailable('The body ended before it was complete: send the same batch again.', 1)
    })
    if (done) return
    reading.wireBytes += value.byteLength
    if (reading.wireBytes > caps.maxWireBytes) throw wireTooLarge(caps)
    yield value
  }
}

async function inflate(arriving: AsyncGenerator<Uint8Array>, caps: BodyCaps, reading: Reading): Promise<void> {
  try {
    const rest = await inflateSmall(arriving, caps, reading)
    if (rest) await caps.inflate(rest, (chunk) => keep(chunk, caps, reading))
  } catch (error) {
    if (error instanceof HttpProblem) throw error
    throw notGzip()
  }
  // The decoder takes nothing at all for a whole stream.
  if (reading.wireBytes === 0) throw notGzip()
}

/**
 * A small body is inflated at once: a stream takes several times as long. Gives back the wire, from its beginning, when
 * it is not small; what is wrong with it then comes out there.
 */
async function inflateSmall(
  arriving: AsyncGenerator<Uint8Array>,
  caps: BodyCaps,
  reading: Reading,
): Promise<AsyncGenerator<Uint8Array> | undefined> {
  const { atOnce } = caps.inflate
  if (atOnce === undefined) return arriving
  const packed = await gather(arriving, caps)
  if (packed.bytes > SMALL_WIRE_BYTES) return again(packed.chunks, arriving)
  const whole = join(packed.chunks)
  const inflated = atOnce(whole, Math.min(RATIO_FREE_BYTES, caps.maxBodyBytes))
  if (inflated === undefined) return again([whole], arriving)
  keep(inflated, caps, reading)
  return undefined
}

/** What arrives, until it is not small any more. It counts against the share while it waits for its rest. */
async function gather(
  arriving: AsyncGenerator<Uint8Array>,
  { open }: BodyCaps,
): Promise<{ chunks: Uint8Array[]; bytes: number }> {
  const chunks: Uint8Array[] = []
  let bytes = 0
  try {
    while (bytes <= SMALL_WIRE_BYTES) {
      const { done, value } = await arriving.next()
      if (done) break
      claim(open, value.byteLength)
      bytes += value.byteLength
      chunks.push(value)
    }
  } finally {
    open.give(bytes)
  }
  return { chunks, bytes }
}

async function* again(read: readonly Uint8Array[], rest: AsyncGenerator<Uint8Array>): AsyncGenerator<Uint8Array> {
  yield* read
  yield* rest
}

function keep(chunk: Uint8Array, caps: BodyCaps, reading: Reading): void {
  const bytes = reading.bytes + chunk.byteLength
  if (bytes > caps.maxBodyBytes) throw bodyTooLarge(caps)
  if (bytes > RATIO_FREE_BYTES && bytes > reading.wireBytes * caps.maxInflateRatio) throw ratioTooHigh(caps)
  claim(caps.open, chunk.byteLength)
  reading.bytes = bytes
  reading.chunks.push(chunk)
}

function claim(open: Share, bytes: number): void {
  const taken = open.take(bytes)
  if (taken !== 'taken') throw noMemory(taken)
}

function join(chunks: readonly Uint8Array[]): Uint8Array {
  if (chunks.length === 1) return chunks[0] as Uint8Array
  const whole = new Uint8Array(chunks.reduce((sum, { byteLength }) => sum + byteLength, 0))
  let at = 0
  for (const chunk of chunks) {
    whole.set(chunk, at)
    at += chunk.byteLength
  }
  return whole
}
