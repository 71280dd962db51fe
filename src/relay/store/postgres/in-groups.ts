/** Makes one call of many that come together. */
export interface Groups<Request, Result> {
  run(request: Request): Promise<Result>
  /** Resolves when nothing waits and nothing is under way. */
  idle(): Promise<void>
}

interface Waiting<Request, Result> {
  readonly request: Request
  readonly resolve: (result: Result) => void
  readonly reject: (error: unknown) => void
}

/**
 * What comes within one event-loop turn goes in one group, and what comes while `maxAtOnce` groups are under way in the
 * next: one round trip and one disk sync serve many. `work` gives a result or an error for each.
 */
export function inGroups<Request, Result>(
  work: (requests: readonly Request[]) => Promise<readonly ({ result: Result } | { error: unknown })[]>,
  options: { readonly maxAtOnce: number; readonly maxWeight: number; readonly weigh: (request: Request) => number },
): Groups<Request, Result> {
  const { maxAtOnce, maxWeight, weigh } = options
  let waiting: Waiting<Request, Result>[] = []
  const underWay = new Set<Promise<void>>()
  let isScheduled = false

  function schedule(): void {
    if (isScheduled || waiting.length === 0 || underWay.size >= maxAtOnce) return
    isScheduled = true
    setImmediate(() => {
      isScheduled = false
      if (waiting.length === 0 || underWay.size >= maxAtOnce) return
      const running = settle(takeGroup())
      underWay.add(running)
      running.then(() => {
        underWay.delete(running)
        schedule()
      })
      schedule()
    })
  }

  function takeGroup(): Waiting<Request, Result>[] {
    let weight = 0
    let size = 0
    for (const { request } of waiting) {
      weight += weigh(request)
      if (size > 0 && weight > maxWeight) break
      size++
    }
    const group = waiting.slice(0, size)
    waiting = waiting.slice(size)
    return group
  }

  async function settle(group: readonly Waiting<Request, Result>[]): Promise<void> {
    try {
      const results = await work(group.map(({ request }) => request))
      for (const [index, { resolve, reject }] of group.entries()) {
        const outcome = results[index] as { result: Result } | { error: unknown }
        if ('error' in outcome) reject(outcome.error)
        else resolve(outcome.result)
      }
    } catch (error) {
      for (const { reject } of group) reject(error)
    }
  }

  return {
    run: (request) =>
      new Promise((resolve, reject) => {
        waiting.push({ request, resolve, reject })
        schedule()
      }),
    async idle() {
      while (waiting.length > 0 || underWay.size > 0) {
        await Promise.all(underWay)
        await new Promise((resolve) => setImmediate(resolve))
      }
    },
  }
}
