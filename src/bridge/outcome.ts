import { MetertapError } from '../wire/errors.ts'
import type { BridgeError, Outcome } from './contract.ts'

export function ok<T>(value: T): Outcome<T> {
  return { ok: true, value }
}

/** An error as it may be told to a page: of what went wrong inside, only that it did. */
export function failed(cause: unknown): Outcome<never> {
  if (!(cause instanceof MetertapError)) {
    const text = "The main process could not do it; its createAgent() tells the reason under on('trouble')."
    return { ok: false, error: { code: 'internal', message: text, detail: {} } }
  }
  const { code, message, detail } = cause
  return { ok: false, error: { code, message, detail } }
}

export function errorOf({ code, message, detail }: BridgeError): MetertapError {
  return new MetertapError(code, message, { ...detail })
}
