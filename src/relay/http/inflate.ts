/** Inflates gzip. */
export interface Inflate {
  /**
   * Inflates what arrives and hands over each piece. What `keep` throws, or what ends the wire, ends it with that error;
   * everything else it rejects with means that the bytes are no whole gzip stream.
   */
  (wire: AsyncGenerator<Uint8Array>, keep: (inflated: Uint8Array) => void): Promise<void>
  /**
   * The same at once, for bytes that are all there; undefined when they are no whole gzip stream or would be more than
   * maxBytes. Absent where it cannot be done.
   */
  readonly atOnce?: (packed: Uint8Array, maxBytes: number) => Uint8Array | undefined
}
