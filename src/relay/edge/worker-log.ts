import { describeError } from '../describe-error.ts'
import type { Log } from '../log.ts'

/** One JSON object to a line of the Worker's log. */
export function createWorkerLog(console: Pick<Console, 'info' | 'warn' | 'error'>): Log {
  return (level, event, fields = {}) => {
    const flat = Object.entries(fields).map(([key, value]) => [
      key,
      value instanceof Error ? describeError(value) : value,
    ])
    console[level](JSON.stringify({ level, event, ...Object.fromEntries(flat) }))
  }
}
