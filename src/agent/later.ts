/** Code that may have to be fetched first. */
export interface Later<T> {
  /** Undefined until it is there. */
  readonly loaded: T | undefined
  /**
   * One try, together with whoever else tries.
   * @throws MetertapError `not_loaded`.
   */
  now(): Promise<T>
  /** Tries until it is there. */
  get(): Promise<T>
  /** Resolves when it is there, and fetches nothing. */
  readonly arrived: Promise<T>
}

/** Code that came with the rest. */
export function present<T>(loaded: T): Later<T> {
  const arrived = Promise.resolve(loaded)
  const now = () => arrived
  return { loaded, now, get: now, arrived }
}
