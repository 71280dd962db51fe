import { MetertapError } from '../wire/errors.ts'
import type { RecordingSettings } from './options.ts'

export interface BudgetOptions {
  readonly settings: Pick<RecordingSettings, 'maxOutboxBytes' | 'overflow'>
  /** Bytes in the outbox, as of the last look. */
  readonly storedBytes: () => number
  /** Bytes of what was recorded and is on its way there. */
  readonly comingBytes: () => number
  /** Looks anew at what the outbox holds. */
  readonly recount: () => Promise<void>
  /** Gives up the oldest events that hold so many bytes; resolves with how many events it was. */
  readonly drop: (bytes: number) => Promise<number>
  readonly onDropped: (events: number) => void
  readonly onError: (error: unknown) => void
}

/** What is freed at once beyond what is needed, so that a full outbox is not trimmed event by event. */
const SLACK = 0.1

/**
 * How much may wait. What other agents stored since the last look is not seen: the limit is kept within what they can
 * record in one flush interval.
 */
export class Budget {
  readonly #options: BudgetOptions
  #isMakingRoom = false

  constructor(options: BudgetOptions) {
    this.#options = options
  }

  /** @throws MetertapError `outbox_full` when new events have to give way. */
  admit(bytes: number): void {
    const { settings, storedBytes, comingBytes } = this.#options
    const { maxOutboxBytes } = settings
    if (settings.overflow !== 'reject-new' || storedBytes() + comingBytes() + bytes <= maxOutboxBytes) return
    const text = `The outbox holds its ${maxOutboxBytes} bytes. Events leave once the relay is reached; or raise maxOutboxBytes.`
    throw new MetertapError('outbox_full', text, { maxOutboxBytes })
  }

  /** Makes the oldest events give way, where the policy says so: by what the outbox holds now, and once at a time. */
  async makeRoom(): Promise<void> {
    if (this.#isMakingRoom || this.#overBytes() <= 0) return
    this.#isMakingRoom = true
    try {
      while (await this.#dropSome());
    } catch (error) {
      this.#options.onError(error)
    } finally {
      this.#isMakingRoom = false
    }
  }

  async #dropSome(): Promise<boolean> {
    const { settings, recount, drop, onDropped } = this.#options
    await recount()
    const overBytes = this.#overBytes()
    if (overBytes <= 0) return false
    const events = await drop(Math.ceil(overBytes + settings.maxOutboxBytes * SLACK))
    if (events > 0) onDropped(events)
    return events > 0
  }

  #overBytes(): number {
    const { settings, storedBytes } = this.#options
    return settings.overflow === 'drop-oldest' ? storedBytes() - settings.maxOutboxBytes : 0
  }
}
