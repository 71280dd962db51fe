import { pipeline } from 'node:stream/promises'
import { createGunzip, gunzipSync } from 'node:zlib'
import type { Inflate } from './inflate.ts'

const INFLATE_CHUNK_BYTES = 2 ** 16

const inflateStream: Inflate = async (wire, keep) => {
  await pipeline(wire, createGunzip({ chunkSize: INFLATE_CHUNK_BYTES }), async (inflated) => {
    for await (const chunk of inflated as AsyncIterable<Uint8Array>) keep(chunk)
  })
}

function inflateAtOnce(packed: Uint8Array, maxBytes: number): Uint8Array | undefined {
  try {
    const { buffer, byteOffset, byteLength } = gunzipSync(packed, {
      maxOutputLength: maxBytes,
      chunkSize: INFLATE_CHUNK_BYTES,
    })
    return new Uint8Array(buffer, byteOffset, byteLength)
  } catch {
    return undefined
  }
}

/** By Node's own zlib. */
export const inflateNode: Inflate = Object.assign(inflateStream, { atOnce: inflateAtOnce })
