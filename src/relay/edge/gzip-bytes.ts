/** Packs bytes by the platform's CompressionStream. */
export function createGzipBytes(Compression: typeof CompressionStream): (bytes: Uint8Array) => Promise<Uint8Array> {
  return async (bytes) => {
    const stream = new Blob([bytes as Uint8Array<ArrayBuffer>]).stream().pipeThrough(new Compression('gzip'))
    return new Uint8Array(await new Response(stream).arrayBuffer())
  }
}
