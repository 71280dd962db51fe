import type { FlushReason } from './contract.ts'

export interface TriggerOptions {
  readonly setTimer: (callback: () => void, delayMs: number) => () => void
  readonly flush: (reason: FlushReason) => void
  readonly flushIntervalMs: number
  readonly flushEvents: number
  readonly flushBytes: number
}

export interface Triggers {
  /** Tells of what was appended: flushes at once when enough waits, else within the interval. */
  appended(events: number, bytes: number): void
  /** A flush has begun, whatever its reason: counters and timer start anew. */
  flushed(): void
  setIntervalMs(flushIntervalMs: number): void
  stop(): void
}

/** Flush on count, bytes and interval. No timer runs while nothing waits. */
export function createTriggers(options: TriggerOptions): Triggers {
  let { flushIntervalMs } = options
  let events = 0
  let bytes = 0
  let cancel: (() => void) | undefined
  const clear = () => {
    cancel?.()
    cancel = undefined
    events = 0
    bytes = 0
  }
  const fire = (reason: FlushReason) => {
    clear()
    options.flush(reason)
  }
  return {
    appended(moreEvents, moreBytes) {
      events += moreEvents
      bytes += moreBytes
      if (events >= options.flushEvents) fire('count')
      else if (bytes >= options.flushBytes) fire('bytes')
      else cancel ??= options.setTimer(() => fire('interval'), flushIntervalMs)
    },
    flushed: clear,
    setIntervalMs(nextMs) {
      flushIntervalMs = nextMs
    },
    stop: clear,
  }
}
