/** Counts who is inside, so that a stop can wait for them. */
export interface Turnstile {
  pass<T>(job: () => Promise<T>): Promise<T>
  close(): void
  isClosed(): boolean
  /** Resolves when nobody is inside, or after graceMs. */
  idle(graceMs: number): Promise<void>
}

export function createTurnstile(): Turnstile {
  const inside = new Set<Promise<unknown>>()
  let closed = false
  return {
    async pass(job) {
      const running = job()
      inside.add(running)
      try {
        return await running
      } finally {
        inside.delete(running)
      }
    },
    close() {
      closed = true
    },
    isClosed: () => closed,
    async idle(graceMs) {
      const { promise, resolve } = Promise.withResolvers<void>()
      const grace = setTimeout(resolve, graceMs)
      await Promise.race([Promise.allSettled([...inside]), promise])
      clearTimeout(grace)
    },
  }
}
