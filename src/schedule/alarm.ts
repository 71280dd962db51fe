export interface AlarmOptions {
  /** Never set back, ms. */
  readonly monotonic: () => number
  readonly setTimer: (callback: () => void, delayMs: number) => () => void
  readonly ring: () => void
}

export interface Alarm {
  /** Rings once, after the shortest of the delays asked for since it last rang. */
  within(delayMs: number): void
  stop(): void
}

/** One timer, whatever number of wishes. */
export function createAlarm({ monotonic, setTimer, ring }: AlarmOptions): Alarm {
  let set: { dueMs: number; cancel: () => void } | undefined
  const stop = () => {
    set?.cancel()
    set = undefined
  }
  return {
    within(delayMs) {
      const dueMs = monotonic() + delayMs
      if (set && set.dueMs <= dueMs) return
      stop()
      const onDue = () => {
        set = undefined
        ring()
      }
      set = { dueMs, cancel: setTimer(onDue, delayMs) }
    },
    stop,
  }
}
