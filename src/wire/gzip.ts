import { crc32 } from './crc32.ts'

export type Gzip = (text: string) => Promise<Uint8Array<ArrayBuffer>>

/** Smallest gzip member: header 10, empty deflate block 2, trailer 8 (RFC 1952, 2.3). */
const MIN_BYTES = 20

/**
 * Whether the packed bytes are a gzip member whose trailer speaks of this input: its CRC-32 and its length.
 * Some platforms' compressors have been seen to emit members that end early or belong to other data.
 */
export function isGzipOf(packed: Uint8Array, plain: Uint8Array): boolean {
  if (packed.length < MIN_BYTES || packed[0] !== 0x1f || packed[1] !== 0x8b) return false
  const trailer = new DataView(packed.buffer, packed.byteOffset + packed.length - 8, 8)
  return trailer.getUint32(4, true) === plain.length % 2 ** 32 && trailer.getUint32(0, true) === crc32(plain)
}

/**
 * gzip by the platform's own CompressionStream (RFC 1952), its result checked by length and CRC.
 * The constructors are parameters so that wire/ touches no global.
 *
 * @throws RangeError when the platform's output is no gzip of the text: send it plain then.
 */
export function createGzip(Compression: typeof CompressionStream, ResponseClass: typeof Response): Gzip {
  return async (text) => {
    const plain = new TextEncoder().encode(text)
    const stream = new ResponseClass(plain).body as ReadableStream<Uint8Array<ArrayBuffer>>
    const packed = new Uint8Array(await new ResponseClass(stream.pipeThrough(new Compression('gzip'))).arrayBuffer())
    if (!isGzipOf(packed, plain)) throw new RangeError('CompressionStream gave bytes that are no gzip of its input.')
    return packed
  }
}
