import type { Outbox } from '../../outbox/contract.ts'
import type { Runtime } from '../../runtime/contract.ts'
import { MetertapError } from '../../wire/errors.ts'
import type { FilledSettings } from './holder-settings.ts'

export interface RoomOptions {
  readonly outbox: Outbox
  readonly runtime: Runtime
  readonly settings: Pick<FilledSettings, 'maxOutboxBytes' | 'overflow'>
}

/** How much may wait in one object. It is counted when something left, and added up in between. */
export class Room {
  readonly #options: RoomOptions
  #counted: Promise<number> | undefined
  #moreBytes = 0

  constructor(options: RoomOptions) {
    this.#options = options
  }

  /** @throws MetertapError `outbox_full` when new events have to give way. */
  async admit(bytes: number): Promise<void> {
    const { maxOutboxBytes, overflow } = this.#options.settings
    if (overflow !== 'reject-new' || (await this.#waitingBytes()) + bytes <= maxOutboxBytes) return
    const text = `The Durable Object holds its ${maxOutboxBytes} bytes: the events were not recorded. They leave once the relay is reached; or raise maxOutboxBytes, or shards.`
    throw new MetertapError('outbox_full', text)
  }

  /** Makes the oldest events give way, where that was asked for. */
  async make(): Promise<void> {
    const { settings, outbox, runtime } = this.#options
    const { maxOutboxBytes, overflow } = settings
    if (overflow !== 'drop-oldest') return
    const overBytes = (await this.#waitingBytes()) - maxOutboxBytes
    if (overBytes <= 0) return
    // A little more, so that a full outbox is not trimmed event by event.
    const bytes = Math.ceil(overBytes + maxOutboxBytes / 10)
    await outbox.dropOldest({ bytes, reason: 'outbox_full', nowMs: runtime.now() })
    this.changed()
  }

  grew(bytes: number): void {
    this.#moreBytes += bytes
  }

  /** Something left. */
  changed(): void {
    this.#counted = undefined
  }

  async #waitingBytes(): Promise<number> {
    if (!this.#counted) {
      this.#moreBytes = 0
      this.#counted = this.#options.outbox.totals().then(({ bytes }) => bytes)
    }
    return (await this.#counted) + this.#moreBytes
  }
}
