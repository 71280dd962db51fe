import pino from 'pino'
import { describeError } from '../describe-error.ts'
import type { Log } from '../log.ts'
import type { LogFormat } from './args.ts'

/** Names of fields that no entry has; should one ever, its value stays out. */
const SECRET_FIELDS = ['authorization', 'token', 'grant', 'session', 'secret', 'clientSecret', 'key', 'data', 'body']

/** Makes a log: a plain line, or JSON by pino with its usual keys. Errors are flattened, secrets blotted out. */
export function createLog(format: LogFormat, write: (line: string) => void, clock: () => number): Log {
  return format === 'json' ? createJsonLog(write, clock) : createPlainLog(write, clock)
}

function createJsonLog(write: (line: string) => void, clock: () => number): Log {
  const time = (): string => `,"time":"${new Date(clock()).toISOString()}"`
  const logger = pino(
    {
      base: null,
      timestamp: time,
      messageKey: 'event',
      formatters: { level: (level) => ({ level }) },
      redact: { paths: SECRET_FIELDS.flatMap((name) => [name, `*.${name}`]), censor: '[redacted]' },
    },
    { write },
  )
  return (level, event, fields = {}) => logger[level](flattenAll(fields), event)
}

function createPlainLog(write: (line: string) => void, clock: () => number): Log {
  return (level, event, fields = {}) => {
    const pairs = Object.entries(flattenAll(fields)).map(
      ([key, value]) => `${key}=${SECRET_FIELDS.includes(key) ? '[redacted]' : show(value)}`,
    )
    write(`${[new Date(clock()).toISOString(), level, event, ...pairs].join(' ')}\n`)
  }
}

function flattenAll(fields: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(fields).map(([key, value]) => [key, value instanceof Error ? describeError(value) : value]),
  )
}

function show(value: unknown): string {
  return typeof value === 'string' && /^[^\s"=]+$/.test(value) ? value : JSON.stringify(value)
}
