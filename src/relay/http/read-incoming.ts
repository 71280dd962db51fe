import type { Readable } from 'node:stream'

const EVENTS = ['readable', 'end', 'error', 'close']
const DONE = { done: true, value: undefined } as const

/**
 * A request's body as Node has it, without the web's streams between, which cost more than a small body. Given back early
 * it lets go of the request and leaves its connection open: a request that is refused is still answered.
 */
export function readIncoming(incoming: Readable): AsyncIterator<Uint8Array> {
  let isOver = false
  let wake = (): void => {}
  const onEvent = (): void => wake()
  for (const event of EVENTS) incoming.on(event, onEvent)

  function stop(): typeof DONE {
    isOver = true
    for (const event of EVENTS) incoming.off(event, onEvent)
    wake()
    return DONE
  }

  return {
    async next() {
      while (!isOver) {
        const value = incoming.read() as Uint8Array | null
        if (value !== null) return { done: false, value }
        if (incoming.readableEnded) break
        if (incoming.destroyed) throw incoming.errored ?? new Error('The connection ended before the body.')
        await new Promise<void>((resolve) => {
          wake = resolve
        })
      }
      return stop()
    },
    async return() {
      return stop()
    },
  }
}
