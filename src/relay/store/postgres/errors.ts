import { MetertapError } from '../../../wire/errors.ts'

/** Two transactions wanted the same rows, or made the same stream: the same once more goes through. */
const COLLISIONS = new Set(['40001', '40P01', '55P03', '23505'])
/** The partition for a day is not there yet, or was dropped a moment ago. */
export const NO_PARTITION = '23514'
/** What no second try mends. */
const WRONG_SETTINGS = new Set(['28000', '28P01', '3D000', '42501', '3F000', '0A000'])

export function codeOf(error: unknown): string {
  return String((error as { code?: unknown } | undefined)?.code ?? '')
}

export function isCollision(error: unknown): boolean {
  return COLLISIONS.has(codeOf(error))
}

/** The database cannot hold a value: one request of many may be at fault. */
export function isDataError(error: unknown): boolean {
  return /^(22|54)/.test(codeOf(error))
}

/** The connection ended, or there was none: whether a commit under way went through is not known. */
function isConnectionLoss(error: unknown): boolean {
  const code = codeOf(error)
  if (/^(08|57P0)/.test(code) || /^E[A-Z]+$/.test(code)) return true
  return error instanceof Error && /connection|timeout/i.test(error.message) && code === ''
}

/** What a caller gets: nothing of the call was kept, or it is not known whether it was. */
export function storeFailed(cause: unknown): MetertapError {
  if (cause instanceof MetertapError) return cause
  const message = isConnectionLoss(cause)
    ? 'PostgreSQL cannot be reached now: nothing was acknowledged. Send the same again.'
    : 'The store did not write this: nothing of it was acknowledged. See the cause; then send it again.'
  return new MetertapError('internal', message, {}, cause)
}

/** What a start gets: the database cannot be used as it is configured, or not now. */
export function cannotOpen(cause: unknown): MetertapError {
  if (cause instanceof MetertapError) return cause
  if (!WRONG_SETTINGS.has(codeOf(cause))) return storeFailed(cause)
  const message =
    'PostgreSQL does not let the relay in: check user, password, database and rights of store.postgres (METERTAP_POSTGRES_URL).'
  return new MetertapError('bad_option', message, {}, cause)
}
