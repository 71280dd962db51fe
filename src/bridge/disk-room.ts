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

/** How old the last look at the outbox may be. */
const LOOK_EVERY_MS = 2_000
/** What is freed at once beyond what is needed. */
const SLACK = 0.1

/** How much the pages may store: by what the outbox holds, whatever they say that they hold. */
export class DiskRoom {
  readonly #options: DiskRoomOptions
  #bytes = 0
  #deadLetters = 0
  #lookedAtMs = Number.NEGATIVE_INFINITY

  constructor(options: DiskRoomOptions) {
    this.#options = options
  }

  /** @throws MetertapError `outbox_full` when new events have to give way. */
  async admit(outbox: Outbox, accountTag: string, bytes: number): Promise<void> {
    const { maxOutboxBytes, maxDeadLetters, overflow } = this.#options
    const isOver = () => this.#bytes + bytes > maxOutboxBytes
    if (isOver() || this.#options.monotonic() - this.#lookedAtMs >= LOOK_EVERY_MS) await this.#look(outbox)
    if (this.#deadLetters > maxDeadLetters) throw full(`${this.#deadLetters} dead letters. See deadLetters().`)
    if (isOver() && overflow === 'drop-oldest') await this.#makeRoom(outbox, accountTag, bytes)
    if (isOver()) throw full(`its ${maxOutboxBytes} bytes. Events leave once the relay is reached.`)
    this.#bytes += bytes
  }

  /** Of one account only: a page must not push out another's. */
  async #makeRoom(outbox: Outbox, accountTag: string, coming: number): Promise<void> {
    const { maxOutboxBytes, now } = this.#options
    const bytes = Math.ceil(this.#bytes + coming - maxOutboxBytes * (1 - SLACK))
    await outbox.dropOldest({ bytes, accountTag, reason: 'outbox_full', nowMs: now() })
    await this.#look(outbox)
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
