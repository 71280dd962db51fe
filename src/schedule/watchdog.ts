export interface WatchdogOptions {
  readonly setTimer: (callback: () => void, delayMs: number) => () => void
  /** How long the sender may be silent after it was asked, ms. Default 10,000. */
  readonly silenceMs?: number
  /** The sender was asked and nobody answered: it hangs, or is frozen with the lock in its hand. */
  readonly onSilence: () => void
}

export interface Watchdog {
  /** The sender was asked for something that it answers at once. */
  asked(): void
  /** Something was heard of a sender. */
  heard(): void
  stop(): void
}

/** Notices a sender that does not answer its peers. No timer runs unless a question is open. */
export function createWatchdog({ setTimer, silenceMs = 10_000, onSilence }: WatchdogOptions): Watchdog {
  let cancel: (() => void) | undefined
  const heard = () => {
    cancel?.()
    cancel = undefined
  }
  return {
    asked() {
      cancel ??= setTimer(() => {
        cancel = undefined
        onSilence()
      }, silenceMs)
    },
    heard,
    stop: heard,
  }
}
