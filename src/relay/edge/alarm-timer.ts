import type { Timer } from '../forward/contract.ts'

/** Naps of lanes that outlast the object's turns: short ones by a timer, long ones until an alarm of the object. */
export interface AlarmTimer {
  readonly timer: Timer
  /** Ends the naps whose time has come. */
  fire(nowMs: number): void
  /** When the next long nap ends, ms since 1970. */
  nextDueMs(): number | undefined
}

export interface AlarmTimerDeps {
  readonly clock: () => number
  readonly short: Timer
  /** Sets the object's alarm to a time, unless it rings before. */
  readonly armBy: (atMs: number) => void
}

/** A pending timer keeps the object in memory, and memory is paid for: longer naps leave none behind. */
const MAX_SHORT_MS = 2_000

/** Makes the timer of a forwarder inside a Durable Object. What naps when the object is evicted starts anew with it. */
export function createAlarmTimer({ clock, short, armBy }: AlarmTimerDeps): AlarmTimer {
  const naps = new Set<{ readonly dueMs: number; readonly end: () => void }>()
  return {
    timer(callback, delayMs) {
      if (delayMs <= MAX_SHORT_MS) return short(callback, delayMs)
      const nap = { dueMs: clock() + delayMs, end: callback }
      naps.add(nap)
      armBy(nap.dueMs)
      return () => naps.delete(nap)
    },
    fire(nowMs) {
      for (const nap of [...naps]) {
        if (nap.dueMs > nowMs) continue
        naps.delete(nap)
        nap.end()
      }
    },
    nextDueMs: () => (naps.size === 0 ? undefined : Math.min(...[...naps].map(({ dueMs }) => dueMs))),
  }
}
