import type { Outbox } from '../outbox/contract.ts'
import { MetertapError } from '../wire/errors.ts'

export interface DiskRoomOptions {
  readonly maxOutboxBytes: number
  readonly maxDeadLetters: number
  readonly overflow: 'reject-new' | 'drop-oldest'
  readonly now: () => number
  /** Never set back, ms. */
  readonly monotonic: () => number
}

interface Size {
  readonly bytes: number
  readonly windowBytes: number
}

/** How old the last look at the outbox may be. */
const LOOK_EVERY_MS = 2_000
/** What is freed at once beyond what is needed. */
const SLACK = 0.1
/** Agents make room by themselves, and tell who listens; so much more than the limit only one that does not would store. */
const HARD = 1.25

/** How much the pages may store: by what the outbox holds, whatever they say that they hold. */
export class DiskRoom {
  readonly #options: DiskRoomOptions
  #bytes = 0
  /** Of open windows: the outbox does not count them. */
  #windowBytes = 0
  #deadLetters = 0
  #lookedAtMs = Number.NEGATIVE_INFINITY

  constructor(options: DiskRoomOptions) {
    this.#options = options
  }

  /** @throws MetertapError `outbox_full` when new events have to give way. */
  async admit(outbox: Outbox, accountTag: string, { bytes: segmentBytes, windowBytes }: Size): Promise<void> {
    const { maxOutboxBytes, maxDeadLetters, overflow } = this.#options
    const limitBytes = overflow === 'drop-oldest' ? maxOutboxBytes * HARD : maxOutboxBytes
    const bytes = segmentBytes + Math.max(0, windowBytes)
    const isOver = () => this.#bytes + this.#windowBytes + bytes > limitBytes
    if (isOver() || this.#options.monotonic() - this.#lookedAtMs >= LOOK_EVERY_MS) await this.#look(outbox)
    if (this.#deadLetters > maxDeadLetters) throw full(`${this.#deadLetters} dead letters. See deadLetters().`)
    if (isOver()) await this.makeRoom(outbox, accountTag, bytes)
    if (isOver()) throw full(`its ${maxOutboxBytes} bytes. Events leave once the relay is reached.`)
    this.#bytes += segmentBytes
    this.#windowBytes += windowBytes
  }

  /** Windows are no more, or were not stored after all. */
  release(windowBytes: number): void {
    this.#windowBytes -= windowBytes
  }

  /**
   * Gives up the oldest events, where the policy says so and as far as there is need; resolves with how many. Of one
   * account only: a page must not push out another's.
   */
  async makeRoom(outbox: Outbox, accountTag: string, comingBytes: number): Promise<number> {
    const { maxOutboxBytes, overflow, now } = this.#options
    await this.#look(outbox)
    const overBytes = this.#bytes + this.#windowBytes + comingBytes - maxOutboxBytes
    if (overflow !== 'drop-oldest' || overBytes <= 0) return 0
    const bytes = Math.ceil(overBytes + maxOutboxBytes * SLACK)
    const events = await outbox.dropOldest({ bytes, accountTag, reason: 'outbox_full', nowMs: now() })
    await this.#look(outbox)
    return events
  }

  async #look(outbox: Outbox): Promise<void> {
    const { bytes, deadLetters } = await outbox.totals()
    this.#bytes = bytes
    this.#deadLetters = deadLetters
    this.#lookedAtMs = this.#options.monotonic()
  }
}

function full(what: string): MetertapError {
  return new MetertapError('outbox_full', `The outbox holds ${what} The events were not stored.`)
}
