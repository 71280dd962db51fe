import { pipeline } from 'node:stream/promises'
import { createGunzip } from 'node:zlib'
import type { Inflate } from './inflate.ts'

const INFLATE_CHUNK_BYTES = 2 ** 16

/** By Node's own zlib. */
export const inflateNode: Inflate = async (wire, keep) => {
  await pipeline(wire, createGunzip({ chunkSize: INFLATE_CHUNK_BYTES }), async (inflated) => {
    for await (const chunk of inflated as AsyncIterable<Uint8Array>) keep(chunk)
  })
}
