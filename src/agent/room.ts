import type { RecordingOutbox } from '../outbox/contract.ts'
import type { Counters } from './counters.ts'
import type { RecordingSettings } from './options.ts'
import type { Emit } from './outcomes.ts'
import type { Sending } from './sending.ts'

export interface RoomOptions {
  readonly settings: Pick<RecordingSettings, 'maxOutboxBytes'>
  readonly counters: Pick<Counters, 'waitingBytes'>
  readonly sender: Pick<Sending<never>, 'recount' | 'dropped'>
  readonly opened: Promise<Pick<RecordingOutbox, 'dropOldest'>>
  /** Wall clock, ms since 1970. */
  readonly now: () => number
  readonly emit: Emit
}

/** The reason under which events that gave way are declared. */
const REASON = 'outbox_full'
/** What is freed at once beyond what is needed, so that a full outbox is not trimmed event by event. */
const SLACK = 0.1

/** Makes the oldest events of a full outbox give way. */
export class Room {
  readonly #options: RoomOptions
  #isMakingRoom = false

  constructor(options: RoomOptions) {
    this.#options = options
  }

  /** By what the outbox holds now, and once at a time. */
  async make(): Promise<void> {
    if (this.#isMakingRoom) return
    this.#isMakingRoom = true
    const { emit } = this.#options
    try {
      for (let events = await this.#drop(); events > 0; events = await this.#drop()) {
        emit('dropped', { events, reason: REASON })
      }
    } catch (error) {
      emit('trouble', { code: 'outbox_unavailable', detail: String(error) })
    } finally {
      this.#isMakingRoom = false
    }
  }

  /** Resolves with how many events were given up. */
  async #drop(): Promise<number> {
    const { settings, counters, sender, opened, now } = this.#options
    await sender.recount()
    const overBytes = counters.waitingBytes - settings.maxOutboxBytes
    if (overBytes <= 0) return 0
    const bytes = Math.ceil(overBytes + settings.maxOutboxBytes * SLACK)
    const events = await (await opened).dropOldest({ bytes, reason: REASON, nowMs: now() })
    if (events > 0) sender.dropped()
    return events
  }
}
