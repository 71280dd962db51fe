import { createHash } from 'node:crypto'
import { promisify } from 'node:util'
import { gunzip } from 'node:zlib'
import type { BodyProblem } from './ingest.ts'

const inflate = promisify(gunzip)

/** A request body as it came. */
export interface WireBody {
  /** Absent when the body is longer than the cap; the rest is read and thrown away. */
  readonly bytes?: Buffer
  readonly wireBytes: number
  readonly sha256: string
}

/** Reads a body to its end, keeping at most maxBytes. Rejects when the client goes away in the middle. */
export async function readBody(chunks: AsyncIterable<Uint8Array>, maxBytes: number): Promise<WireBody> {
  const hash = createHash('sha256')
  const kept: Uint8Array[] = []
  let wireBytes = 0
  for await (const chunk of chunks) {
    hash.update(chunk)
    wireBytes += chunk.byteLength
    if (wireBytes <= maxBytes) kept.push(chunk)
    else kept.length = 0
  }
  const sha256 = hash.digest('hex')
  return wireBytes <= maxBytes ? { bytes: Buffer.concat(kept), wireBytes, sha256 } : { wireBytes, sha256 }
}

/** Gives the body after inflation, at most maxBytes of it. */
export async function inflateBody(
  bytes: Buffer,
  encoding: string | undefined,
  maxBytes: number,
): Promise<Buffer | BodyProblem> {
  const tooLarge: BodyProblem = { status: 413, message: `The payload is more than ${maxBytes} bytes.` }
  if (encoding === undefined || encoding === 'identity') return bytes.byteLength > maxBytes ? tooLarge : bytes
  if (encoding !== 'gzip') return { status: 400, message: 'Content-Encoding must be gzip or absent.' }
  try {
    return await inflate(bytes, { maxOutputLength: maxBytes })
  } catch (error) {
    const isLong = error instanceof RangeError && 'code' in error && error.code === 'ERR_BUFFER_TOO_LARGE'
    return isLong ? tooLarge : { status: 400, message: 'The body is not valid gzip.' }
  }
}
