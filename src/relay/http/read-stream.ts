/** A request's body as the web has it. */
export function streamOf({ body }: Request): AsyncIterator<Uint8Array> {
  const reader = body?.getReader()
  const done = { done: true, value: undefined } as const
  return {
    next: async () => ((await reader?.read()) as IteratorResult<Uint8Array> | undefined) ?? done,
    async return() {
      reader?.cancel().catch(() => {})
      return done
    },
  }
}
