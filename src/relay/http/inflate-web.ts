import type { Inflate } from './inflate.ts'

/** gzip inflates up to 1,032 times: a piece of this size makes 4 MiB at most before the caps are asked again. */
const PIECE_BYTES = 4096

/** By the platform's DecompressionStream, fed in small pieces: it may inflate the whole of a piece before anybody reads. */
export function createWebInflate(Decompression: typeof DecompressionStream): Inflate {
  return async (wire, keep) => {
    const { readable, writable } = new Decompression('gzip')
    const reader = readable.getReader()
    const writer = writable.getWriter()
    let reason: { readonly error: unknown } | undefined
    const fail = (error: unknown): void => {
      reason ??= { error }
    }

    async function feed(): Promise<void> {
      for await (const chunk of wire) {
        for (let at = 0; at < chunk.byteLength; at += PIECE_BYTES) {
          if (reason) return
          await writer.write(chunk.slice(at, at + PIECE_BYTES))
        }
      }
      await writer.close()
    }

    async function drain(): Promise<void> {
      for (;;) {
        const { done, value } = await reader.read()
        if (done) return
        keep(value)
      }
    }

    const feeding = feed().catch(async (error: unknown) => {
      fail(error)
      await writer.abort(error).catch(() => {})
    })
    await drain().catch(async (error: unknown) => {
      fail(error)
      await reader.cancel(error).catch(() => {})
      await wire.return(undefined).catch(() => {})
    })
    if (reason === undefined) await feeding
    if (reason) throw reason.error
  }
}
