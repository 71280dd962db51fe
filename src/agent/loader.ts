import { type BackoffOptions, createBackoff } from '../schedule/backoff.ts'
import { MetertapError } from '../wire/errors.ts'
import type { Later } from './later.ts'

export interface LoaderOptions<T> extends BackoffOptions {
  /** Fetches the code, such as by import(). */
  readonly load: () => Promise<T>
  readonly setTimer: (callback: () => void, delayMs: number) => () => void
}

const NOT_LOADED =
  'More of the agent’s code could not be loaded; it is tried again. Is its file served, and allowed by the Content-Security-Policy?'

/** Fetches code that is not needed to record, again and again if need be. */
export class Loader<T> implements Later<T> {
  /** Hears each try that failed. */
  onFailed: (error: MetertapError) => void = () => {}
  readonly #options: LoaderOptions<T>
  readonly arrived: Promise<T>
  #arrive: (loaded: T) => void = () => {}
  #loaded: T | undefined
  #trying: Promise<T> | undefined
  #waiting: Promise<T> | undefined
  #endWait = () => {}
  #stopped = false

  constructor(options: LoaderOptions<T>) {
    this.#options = options
    this.arrived = new Promise((resolve) => {
      this.#arrive = resolve
    })
  }

  get loaded(): T | undefined {
    return this.#loaded
  }

  now(): Promise<T> {
    this.#trying ??= this.#try()
    return this.#trying
  }

  get(): Promise<T> {
    this.#waiting ??= this.#insist()
    return this.#waiting
  }

  /** The network is back: no use in waiting longer. */
  hurry(): void {
    this.#endWait()
  }

  /** No more tries: get() stays without an answer. */
  stop(): void {
    this.#stopped = true
    this.#endWait()
  }

  async #try(): Promise<T> {
    try {
      this.#loaded ??= await this.#options.load()
      this.#arrive(this.#loaded)
      this.#endWait()
      return this.#loaded
    } catch (cause) {
      const error = new MetertapError('not_loaded', NOT_LOADED, {}, cause)
      this.onFailed(error)
      throw error
    } finally {
      this.#trying = undefined
    }
  }

  async #insist(): Promise<T> {
    const backoff = createBackoff(this.#options)
    for (;;) {
      try {
        return await this.now()
      } catch {
        if (this.#stopped) return new Promise(() => {})
        await new Promise<void>((resolve) => {
          const cancel = this.#options.setTimer(resolve, backoff.next())
          this.#endWait = () => {
            cancel()
            resolve()
          }
        })
      }
    }
  }
}
