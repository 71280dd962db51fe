import { pipeline } from 'node:stream/promises'
import { createGunzip, gunzipSync } from 'node:zlib'
import type { Inflate } from './inflate.ts'

const INFLATE_CHUNK_BYTES = 2 ** 16
const MIN_CHUNK_BYTES = 2 ** 10

const inflateStream: Inflate = async (wire, keep) => {
  await pipeline(wire, createGunzip({ chunkSize: INFLATE_CHUNK_BYTES }), async (inflated) => {
    for await (const chunk of inflated as AsyncIterable<Uint8Array>) keep(chunk)
  })
}

function inflateAtOnce(packed: Uint8Array, maxBytes: number): Uint8Array | undefined {
  try {
    const chunkSize = Math.min(Math.max(MIN_CHUNK_BYTES, saidBytes(packed) + 1), maxBytes)
    const { buffer, byteOffset, byteLength } = gunzipSync(packed, { maxOutputLength: maxBytes, chunkSize })
    return new Uint8Array(buffer, byteOffset, byteLength)
  } catch {
    return undefined
  }
}

/** What gzip's last four bytes say of the inflated length: with one buffer of that size nothing is copied. A hint only. */
function saidBytes(packed: Uint8Array): number {
  const { buffer, byteOffset, byteLength } = packed
  return byteLength < 4 ? 0 : new DataView(buffer, byteOffset, byteLength).getUint32(byteLength - 4, true)
}

/** By Node's own zlib. */
export const inflateNode: Inflate = Object.assign(inflateStream, { atOnce: inflateAtOnce })
