import { MetertapError } from '../wire/errors.ts'
import type { Counters } from './counters.ts'
import type { Settings } from './options.ts'

export interface BudgetOptions {
  readonly settings: Pick<Settings, 'maxOutboxBytes' | 'overflow'>
  readonly counters: Counters
}

/** What is freed at once beyond what is needed, so that a full outbox is not trimmed event by event. */
const SLACK = 0.1

/** How much may wait. What other agents stored since the last look is not seen: the limit is kept within that. */
export class Budget {
  readonly #options: BudgetOptions
  /** Recorded, and not yet counted as appended. */
  #pendingBytes = 0

  constructor(options: BudgetOptions) {
    this.#options = options
  }

  /** @throws MetertapError `outbox_full` when new events have to give way. */
  admit(bytes: number): void {
    const { settings, counters } = this.#options
    const { maxOutboxBytes } = settings
    if (settings.overflow === 'reject-new' && counters.waitingBytes + this.#pendingBytes + bytes > maxOutboxBytes) {
      const text = `The outbox holds its ${maxOutboxBytes} bytes: the event was not recorded. Events leave once the relay is reached; or raise maxOutboxBytes.`
      throw new MetertapError('outbox_full', text, { maxOutboxBytes })
    }
    this.#pendingBytes += bytes
  }

  /** A group commit is over. Gives how many bytes of the oldest events have to give way now. */
  settled(): number {
    this.#pendingBytes = 0
    const { settings, counters } = this.#options
    const overBytes = counters.waitingBytes - settings.maxOutboxBytes
    if (settings.overflow === 'reject-new' || overBytes <= 0) return 0
    return Math.ceil(overBytes + settings.maxOutboxBytes * SLACK)
  }
}
