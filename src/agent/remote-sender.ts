import type { RemoteOutbox, Segment, SenderNews } from '../outbox/contract.ts'
import { bytesIn, eventsIn } from '../outbox/core/sums.ts'
import type { LifecycleEvent } from '../runtime/contract.ts'
import type { FlushReason, PauseReason } from '../schedule/contract.ts'
import { countFlush } from './counting.ts'
import { Outcomes } from './outcomes.ts'
import type { Sending, SendingOptions } from './sending.ts'

export interface RemoteSenderOptions extends SendingOptions {
  readonly accountTag: string
  /** See RemoteAgentParts. */
  readonly isBrief: boolean
}

/** Reasons for which the holder would not send by itself: somebody waits, or there is no later. */
const WORTH_A_WORD: ReadonlySet<FlushReason> = new Set(['manual', 'online', 'resume', 'close', 'peer'])

/** The holder of a remote outbox has triggers and backoff of its own: it only needs to hear what it cannot know. */
export class RemoteSender implements Sending<RemoteOutbox> {
  readonly leads = false
  readonly nextTryAtMs = undefined
  readonly #options: RemoteSenderOptions
  readonly #outcomes: Outcomes
  readonly #paused = new Set<PauseReason>()
  #outbox: RemoteOutbox | undefined
  #stopListening = () => {}
  #closed = false

  constructor(options: RemoteSenderOptions) {
    this.#options = options
    this.#outcomes = new Outcomes({ ...options, now: options.runtime.now, onCounted: () => {} })
  }

  get pausedBy(): readonly PauseReason[] {
    return [...this.#paused]
  }

  async start(outbox: RemoteOutbox): Promise<void> {
    if (this.#closed) return
    this.#outbox = outbox
    this.#stopListening = this.#options.runtime.onLifecycle((event) => this.#hear(event))
    for (const reason of this.#paused) this.#ask(outbox.pause(this.#options.accountTag, reason))
    if (outbox.news) void this.#listen(outbox.news)
    if (!this.#options.isBrief) await this.recount()
  }

  stored(segments: readonly Segment[], moreEvents: number): void {
    const { counters } = this.#options
    // The outbox has no more than this agent sees of it: what was sent since shows at the next look.
    if (eventsIn(segments) > 0) counters.appended(moreEvents, bytesIn(segments))
  }

  async flush(reason: FlushReason): Promise<void> {
    if (!this.#outbox || this.#closed || !WORTH_A_WORD.has(reason)) return
    countFlush(this.#options.counters, reason)
    try {
      await this.#outbox.flush(this.#options.accountTag)
    } catch (error) {
      this.#outcomes.thrown(error)
    }
    await this.recount()
  }

  /** What cannot reach the holder is given up and declared by append() itself: there is nothing held here. */
  setAlone(): void {}

  pause(reason: PauseReason): void {
    this.#paused.add(reason)
    this.#options.emit('paused', { reasons: this.pausedBy })
    if (this.#outbox) this.#ask(this.#outbox.pause(this.#options.accountTag, reason))
  }

  resume(reason: PauseReason): void {
    this.#paused.delete(reason)
    this.#options.emit('paused', { reasons: this.pausedBy })
    if (this.#outbox) this.#ask(this.#outbox.resume(this.#options.accountTag, reason))
  }

  purged(): void {
    this.changed()
  }

  dropped(): void {
    this.changed()
  }

  changed(): void {
    void this.flush('peer')
  }

  async recount(): Promise<void> {
    if (this.#outbox) await this.#outcomes.count(this.#outbox)
  }

  close(): void {
    this.#closed = true
    this.#outcomes.close()
    this.#stopListening()
  }

  #hear(event: LifecycleEvent): void {
    const { onAway, onBack } = this.#options
    if (event === 'hidden') void onAway(false)
    else if (event === 'pagehide' || event === 'freeze' || event === 'ending') void onAway(true)
    else if (event === 'online') void this.flush('online')
    else if (event !== 'offline') onBack()
  }

  async #listen(news: () => Promise<SenderNews>): Promise<void> {
    try {
      while (!this.#closed) {
        const { received, dead, trouble } = await news()
        this.#outcomes.settled({ received, dead: [] })
        for (const letter of dead) this.#options.emit('deadletter', letter)
        if (trouble) this.#outcomes.told(trouble)
        await this.recount()
      }
    } catch {
      // Nobody tells any more: what is waited for is asked for.
    }
  }

  #ask(word: Promise<void>): void {
    word.catch((error) => this.#outcomes.thrown(error))
  }
}
