import { MetertapError } from '../../wire/errors.ts'
import type { Log } from '../log.ts'
import type { LogFormat } from './args.ts'

/** Makes a log that writes one line per entry. */
export function createLog(format: LogFormat, write: (line: string) => void, clock: () => number): Log {
  return (level, event, fields = {}) => {
    const time = new Date(clock()).toISOString()
    const flat = Object.fromEntries(Object.entries(fields).map(([key, value]) => [key, flatten(value)]))
    if (format === 'json') write(`${JSON.stringify({ time, level, event, ...flat })}\n`)
    else
      write(
        `${[time, level, event, ...Object.entries(flat).map(([key, value]) => `${key}=${show(value)}`)].join(' ')}\n`,
      )
  }
}

/** An error as its name, message, code and causes; other fields of an error may hold what must not be logged. */
export function describeError(error: unknown): string {
  if (!(error instanceof Error)) return typeof error === 'string' ? error : 'unknown'
  const code = error instanceof MetertapError ? error.code : (error as NodeJS.ErrnoException).code
  const text = `${error.name}${code === undefined ? '' : ` [${code}]`}: ${error.message}`
  return error.cause === undefined ? text : `${text} (cause: ${describeError(error.cause)})`
}

function flatten(value: unknown): unknown {
  return value instanceof Error ? describeError(value) : value
}

function show(value: unknown): string {
  return typeof value === 'string' && /^[^\s"=]+$/.test(value) ? value : JSON.stringify(value)
}
