import type { Timer } from './contract.ts'

/** A sleep that can be cut short. */
export interface Napper {
  /** Resolves after `ms`; at once, or early, when `wakeable` and wake() was called since the last forget(). */
  nap(ms: number, wakeable: boolean): Promise<void>
  wake(): void
  /** Calls of wake() so far are dealt with. */
  forget(): void
  /** Ends this nap and every later one at once. */
  end(): void
}

export function createNapper(timer: Timer): Napper {
  let isWoken = false
  let isEnded = false
  let rouse: ((isWake: boolean) => void) | undefined

  return {
    nap(ms, wakeable) {
      if (isEnded || (wakeable && isWoken)) return Promise.resolve()
      return new Promise((resolve) => {
        const up = (): void => {
          cancel()
          rouse = undefined
          resolve()
        }
        const cancel = timer(up, ms)
        rouse = (isWake) => {
          if (wakeable || !isWake) up()
        }
      })
    },
    wake() {
      isWoken = true
      rouse?.(true)
    },
    forget() {
      isWoken = false
    },
    end() {
      isEnded = true
      rouse?.(false)
    },
  }
}
