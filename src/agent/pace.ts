import type { Pauses } from '../schedule/pauses.ts'
import type { Triggers } from '../schedule/triggers.ts'
import type { Policy } from '../wire/contract.ts'

export interface PaceOptions {
  readonly triggers: Triggers
  readonly pauses: Pauses
  readonly setTimer: (callback: () => void, delayMs: number) => () => void
  /** The relay's hold is over. */
  readonly onHoldOver: () => void
}

/** Bounds on what a relay's policy may wish for. */
const MIN_FLUSH_INTERVAL_MS = 1_000
const MAX_FLUSH_INTERVAL_MS = 3_600_000
const MAX_HOLD_MS = 86_400_000

/** The relay's wishes about pace, followed within bounds: its flush interval, and holds. */
export class Pace {
  readonly #options: PaceOptions
  #cancelHold: (() => void) | undefined

  constructor(options: PaceOptions) {
    this.#options = options
  }

  obey({ flushIntervalMs, holdMs }: Policy): void {
    if (flushIntervalMs) {
      const intervalMs = Math.min(Math.max(flushIntervalMs, MIN_FLUSH_INTERVAL_MS), MAX_FLUSH_INTERVAL_MS)
      this.#options.triggers.setIntervalMs(intervalMs)
    }
    if (holdMs) this.#hold(Math.min(holdMs, MAX_HOLD_MS))
  }

  stop(): void {
    this.#cancelHold?.()
    this.#cancelHold = undefined
  }

  #hold(holdMs: number): void {
    const { pauses, setTimer, onHoldOver } = this.#options
    pauses.add('hold')
    this.stop()
    this.#cancelHold = setTimer(() => {
      pauses.remove('hold')
      onHoldOver()
    }, holdMs)
  }
}
