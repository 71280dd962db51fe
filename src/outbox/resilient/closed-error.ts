import { MetertapError } from '../../wire/errors.ts'

export function closedError(): MetertapError {
  return new MetertapError('closed', 'The outbox is closed. Create a new agent.')
}
