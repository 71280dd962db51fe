import { MetertapError } from '../wire/errors.ts'

/** An error as its name, message, code and causes; other fields of an error may hold what must not be logged. */
export function describeError(error: unknown): string {
  if (!(error instanceof Error)) return typeof error === 'string' ? error : 'unknown'
  const code = error instanceof MetertapError ? error.code : (error as Error & { code?: string }).code
  const text = `${error.name}${code === undefined ? '' : ` [${code}]`}: ${error.message}`
  return error.cause === undefined ? text : `${text} (cause: ${describeError(error.cause)})`
}
