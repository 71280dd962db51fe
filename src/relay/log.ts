export type LogLevel = 'info' | 'warn' | 'error'

/**
 * Takes one line of the relay's log. `fields` never hold a token, a secret or event data.
 *
 * @example log('info', 'listening', { url: 'http://127.0.0.1:8787' })
 */
export type Log = (level: LogLevel, event: string, fields?: Readonly<Record<string, unknown>>) => void
