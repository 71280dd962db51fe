import { troubleOf } from '../../sqlite/errors.ts'
import { type ErrorCode, MetertapError } from '../../wire/errors.ts'

const TEXTS: Readonly<Record<ReturnType<typeof troubleOf>, readonly [ErrorCode, string]>> = {
  full: [
    'outbox_full',
    'There is no room left for the outbox, so usage cannot be kept. Free some, or let the outbox drain.',
  ],
  busy: ['outbox_unavailable', 'Another process holds the outbox for too long. Usage is kept as soon as it lets go.'],
  damaged: [
    'outbox_unavailable',
    'The file of the outbox is damaged. Restart the program: it sets the file aside and begins a new one.',
  ],
  forbidden: [
    'outbox_unavailable',
    'The outbox may not be opened or written. Let this program write its folder and the files in it.',
  ],
  other: ['outbox_unavailable', 'The outbox failed, see the cause.'],
}

/** What the caller of an outbox gets to see: its own errors as they are, an engine's as codes. */
export function asOutboxError(error: unknown): MetertapError {
  if (error instanceof MetertapError) return error
  const trouble = troubleOf(error)
  const [code, text] = TEXTS[trouble]
  return new MetertapError(code, text, { trouble }, error)
}
