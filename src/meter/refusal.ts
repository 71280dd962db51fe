import { type ErrorCode, MetertapError } from '../wire/errors.ts'

/** Why a meter cannot take an event: `Meter "<name>"`, then the text. */
export function refusal(
  { name }: { readonly name: unknown },
  code: ErrorCode,
  text: string,
  detail?: Record<string, unknown>,
  cause?: unknown,
): MetertapError {
  return new MetertapError(code, `Meter "${name}"${text}`, { meter: name, ...detail }, cause)
}
