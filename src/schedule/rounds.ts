export interface RoundsOptions {
  readonly setTimer: (callback: () => void, delayMs: number) => () => void
  /** Default 60,000. */
  readonly everyMs?: number
  readonly look: () => void
}

export interface Rounds {
  /** While there is something to look after, looks once in a while; else no timer runs. */
  keep(isNeeded: boolean): void
  stop(): void
}

/** Looks from time to time for what nobody would remind of. */
export function createRounds({ setTimer, everyMs = 60_000, look }: RoundsOptions): Rounds {
  let cancel: (() => void) | undefined
  const stop = () => {
    cancel?.()
    cancel = undefined
  }
  const onTime = () => {
    cancel = undefined
    look()
  }
  return {
    keep(isNeeded) {
      if (!isNeeded) stop()
      else cancel ??= setTimer(onTime, everyMs)
    },
    stop,
  }
}
