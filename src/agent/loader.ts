import { type BackoffOptions, backoffMs } from '../schedule/backoff.ts'
import { MetertapError } from '../wire/errors.ts'
import type { Later } from './later.ts'

export interface LoaderOptions<T> extends BackoffOptions {
  /** Fetches the code, such as by import(). */
  readonly load: () => Promise<T>
  readonly setTimer: (callback: () => void, delayMs: number) => () => void
}

/** Fetches code that is not needed to record, again and again if need be. */
export interface Loader<T> extends Later<T> {
  /** Hears each try that failed. */
  onFailed: (error: MetertapError) => void
  /** The network is back: no use in waiting longer. */
  hurry(): void
  /** No more tries: get() stays without an answer. */
  stop(): void
}

const NOT_LOADED =
  'More of the agent’s code could not be loaded; it is tried again. Is its file served, and allowed by the Content-Security-Policy?'

export function createLoader<T>({ load, setTimer, ...backoff }: LoaderOptions<T>): Loader<T> {
  let arrive: (loaded: T) => void
  let trying: Promise<T> | undefined
  let waiting: Promise<T> | undefined
  let endWait = () => {}
  let isStopped = false

  const once = async () => {
    try {
      const loaded = await load()
      loader.loaded = loaded
      arrive(loaded)
      endWait()
      return loaded
    } catch (cause) {
      trying = undefined
      const error = new MetertapError('not_loaded', NOT_LOADED, {}, cause)
      loader.onFailed(error)
      throw error
    }
  }
  const now = () => {
    trying ??= once()
    return trying
  }
  const insist = async (failures: number): Promise<T> => {
    try {
      return await now()
    } catch {
      await new Promise<void>((resolve) => {
        // Stopped: nobody waits for it any more.
        if (isStopped) return
        const cancel = setTimer(resolve, backoffMs(backoff, failures))
        endWait = () => {
          cancel()
          resolve()
        }
      })
      return insist(failures + 1)
    }
  }
  const loader: Loader<T> & { loaded: T | undefined } = {
    onFailed() {},
    loaded: undefined,
    arrived: new Promise<T>((resolve) => {
      arrive = resolve
    }),
    now,
    get() {
      waiting ??= insist(0)
      return waiting
    },
    hurry: () => endWait(),
    stop() {
      isStopped = true
      endWait()
    },
  }
  return loader
}
