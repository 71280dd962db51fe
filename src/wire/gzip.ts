/**
 * gzip by the platform's own CompressionStream (RFC 1952).
 * The constructors are parameters so that wire/ touches no global.
 */
export function createGzip(
  Compression: typeof CompressionStream,
  ResponseClass: typeof Response,
): (text: string) => Promise<Uint8Array<ArrayBuffer>> {
  return async (text) => {
    const plain = new ResponseClass(text).body as ReadableStream<Uint8Array<ArrayBuffer>>
    const packed = plain.pipeThrough(new Compression('gzip'))
    return new Uint8Array(await new ResponseClass(packed).arrayBuffer())
  }
}
