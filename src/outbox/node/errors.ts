import { troubleOf } from '../../sqlite/errors.ts'
import { MetertapError } from '../../wire/errors.ts'

/** Why the file of an outbox could not be opened, and what to do about it. */
export function openFailure(path: string, cause: unknown): MetertapError {
  if (cause instanceof MetertapError) return cause
  const { code: name = '', message = '' } = (cause ?? {}) as { code?: string; message?: string }
  const trouble = troubleOf(cause)
  if (name === 'ENOSPC' || trouble === 'full') {
    return new MetertapError('outbox_full', `There is no room for the outbox ${path}. Free some.`, { path }, cause)
  }
  const reason = name.startsWith('E') && !name.startsWith('ERR_') ? name : message || String(cause)
  const advice =
    trouble === 'busy'
      ? 'Another process holds it for too long.'
      : 'Give a folder on a local disk that this program may make, read and write.'
  const text = `The outbox ${path} cannot be opened (${reason}). ${advice}`
  return new MetertapError('outbox_unavailable', text, { path, trouble }, cause)
}
