/** Gathers the calls of one moment and answers them together. `answer` gives one answer for each item, in order. */
export function inGroups<T, R>(answer: (items: readonly T[]) => Promise<readonly R[]>): (item: T) => Promise<R> {
  interface Waiting {
    readonly item: T
    readonly resolve: (result: R) => void
    readonly reject: (error: unknown) => void
  }
  let waiting: Waiting[] = []

  async function flush(): Promise<void> {
    const group = waiting
    waiting = []
    try {
      const results = await answer(group.map(({ item }) => item))
      for (const [i, { resolve }] of group.entries()) resolve(results[i] as R)
    } catch (error) {
      for (const { reject } of group) reject(error)
    }
  }

  return (item) =>
    new Promise((resolve, reject) => {
      if (waiting.length === 0) queueMicrotask(flush)
      waiting.push({ item, resolve, reject })
    })
}
