import { MetertapError } from '../../wire/errors.ts'

/**
 * Whether the connection may be the culprit: closed under us, or the browser's storage process went away. Not ours:
 * this outbox aborts a transaction only after another error, which then is the one reported.
 */
export function isConnectionLoss(error: unknown): boolean {
  return ['InvalidStateError', 'AbortError', 'UnknownError'].includes(nameOf(error))
}

/** What the caller of an outbox gets to see. Programming errors pass unchanged. */
export function asOutboxError(error: unknown): unknown {
  if (!(error instanceof DOMException)) return error
  if (error.name !== 'QuotaExceededError') return unavailable(error.message || error.name, error)
  return new MetertapError(
    'outbox_full',
    'The browser grants this site no more storage. Free some, or let the outbox drain.',
    { cause: error.name },
    error,
  )
}

export function unavailable(reason: string, cause?: unknown): MetertapError {
  return new MetertapError(
    'outbox_unavailable',
    `The outbox in IndexedDB cannot be used: ${reason}`,
    { cause: nameOf(cause) },
    cause,
  )
}

export function nameOf(error: unknown): string {
  return error instanceof DOMException ? error.name : ''
}
