/** Gathers jobs so that they are committed together. */
export interface TurnCommit {
  /** Runs the job with all that wait by then; settles as it does. */
  run<T>(job: () => T): Promise<T>
  /** Runs what waits, now. */
  flush(): void
}

/**
 * The engine commits once for each turn of the object, and blocks it meanwhile: what has arrived by then goes into one
 * turn. `later` runs a callback in a turn of its own, after those that are due. Each job sees to its own transaction.
 */
export function createTurnCommit(later: (callback: () => void) => void): TurnCommit {
  let waiting: (() => void)[] = []

  function flush(): void {
    const group = waiting
    waiting = []
    for (const job of group) job()
  }

  return {
    run<T>(job: () => T): Promise<T> {
      return new Promise((resolve, reject) => {
        if (waiting.length === 0) later(flush)
        waiting.push(() => {
          try {
            resolve(job())
          } catch (error) {
            reject(error)
          }
        })
      })
    },
    flush,
  }
}
