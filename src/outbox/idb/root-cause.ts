import { nameOf } from './errors.ts'

/** The error that says most: an aborted transaction fails its requests with a bare AbortError, its cause comes apart. */
export function rootCause(errors: readonly unknown[]): unknown {
  return errors.find((error) => error !== undefined && nameOf(error) !== 'AbortError') ?? errors.find(Boolean)
}
