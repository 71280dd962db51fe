/**
 * Inflates gzip as it arrives and hands over each piece. What `keep` throws, or what ends the wire, ends it with that
 * error; everything else it rejects with means that the bytes are no whole gzip stream.
 */
export type Inflate = (wire: AsyncGenerator<Uint8Array>, keep: (inflated: Uint8Array) => void) => Promise<void>
