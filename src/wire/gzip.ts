export type Gzip = (text: string) => Promise<Uint8Array<ArrayBuffer>>

/** Smallest gzip member: header 10, empty deflate block 2, trailer 8 (RFC 1952, 2.3). */
const MIN_BYTES = 20
const WINDOW_CHARS = 16_384
const HIGH_SURROGATE = /[\ud800-\udbff]/

/**
 * Whether the packed bytes look like a gzip member of so many bytes: its header, and the length in its trailer. Some
 * platforms' compressors have been seen to emit members that end early. The CRC is the relay's to check: in a page it
 * would cost more than all the rest of a request.
 */
function looksLikeGzipOf(packed: Uint8Array, plainBytes: number): boolean {
  if (packed.length < MIN_BYTES || packed[0] !== 0x1f || packed[1] !== 0x8b) return false
  const trailer = new DataView(packed.buffer, packed.byteOffset + packed.length - 4, 4)
  return trailer.getUint32(0, true) === plainBytes % 2 ** 32
}

/** Counted through a small window: a copy of the whole text would be the largest piece of garbage of a request. */
function bytesOf(text: string): number {
  const encoder = new TextEncoder()
  const window = new Uint8Array(WINDOW_CHARS * 3 + 3)
  let bytes = 0
  for (let at = 0, end = 0; at < text.length; at = end) {
    // A pair of surrogates is four bytes together, and six apart.
    end = at + WINDOW_CHARS
    if (HIGH_SURROGATE.test(text.charAt(end - 1))) end++
    bytes += encoder.encodeInto(text.slice(at, end), window).written
  }
  return bytes
}

/**
 * gzip by the platform's own CompressionStream (RFC 1952). The constructors are parameters so that wire/ touches no
 * global.
 *
 * @throws RangeError when the platform's output is no gzip of the text: send it plain then.
 */
export function createGzip(Compression: typeof CompressionStream, ResponseClass: typeof Response): Gzip {
  return async (text) => {
    const stream = new ResponseClass(text).body as ReadableStream<Uint8Array<ArrayBuffer>>
    const packed = new Uint8Array(await new ResponseClass(stream.pipeThrough(new Compression('gzip'))).arrayBuffer())
    if (looksLikeGzipOf(packed, bytesOf(text))) return packed
    throw new RangeError('CompressionStream gave bytes that are no gzip of its input.')
  }
}
