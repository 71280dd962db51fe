import type { Outbox, Segment } from '../outbox/contract.ts'
import { bytesIn } from '../outbox/core/sums.ts'
import type { LifecycleEvent } from '../runtime/contract.ts'
import type { FlushReason, PauseReason } from '../schedule/contract.ts'
import type { Later } from './later.ts'
import type { Loader } from './loader.ts'
import type { SenderOptions } from './sender.ts'
import type { Sending } from './sending.ts'

export interface LazySenderOptions extends SenderOptions {
  /** Fetches what makes the sender proper. */
  readonly loader: Later<{ readonly createSender: (options: SenderOptions) => Sending<Outbox> }> &
    Pick<Loader<unknown>, 'hurry' | 'stop' | 'onFailed'>
  /** Fetches what is needed at times only. */
  readonly rest: Pick<Loader<unknown>, 'now' | 'hurry' | 'stop'>
}

/** As much as the last words of a page can carry: more need not be told to the sender. */
const MAX_KEPT_BYTES = 131_072
/** The page comes first: it has this long before the sender's code is fetched, unless something waits. */
const SOON_MS = 500
/** By then it has shown itself, and what it had to send has gone: time for the code that it may need some day. */
const REST_MS = 30_000

/**
 * Stands where the sender will be, until its code is there: nothing of it is needed to record and to store. Fetches it
 * when there is something to send, and soon after the start all the same, since others may have left something.
 */
export class LazySender implements Sending<Outbox> {
  readonly #options: LazySenderOptions
  readonly #paused = new Set<PauseReason>()
  #sender: Sending<Outbox> | undefined
  /** Resolves with the sender at work; undefined before somebody has asked for it. */
  #coming: Promise<Sending<Outbox> | undefined> | undefined
  #outbox: Outbox | undefined
  #kept: Segment[] = []
  #isAlone = false
  #isAway = false
  #closed = false
  /** The sender sees to the page's life. */
  #isOver = false
  /** Ends what was begun to wait for code. */
  #stop = () => {}
  #onBack = () => {}

  constructor(options: LazySenderOptions) {
    this.#options = options
    options.loader.onFailed = ({ code, message }) => this.#trouble(code, message)
  }

  get pausedBy(): readonly PauseReason[] {
    if (this.#sender) return this.#sender.pausedBy
    const { runtime } = this.#options
    const own = [...(runtime.online() ? [] : ['offline']), ...(runtime.prerendering() ? ['prerendering'] : [])]
    return [...new Set([...own, ...this.#paused])]
  }

  get leads(): boolean {
    return this.#sender?.leads ?? false
  }

  get nextTryAtMs(): number | undefined {
    return this.#sender?.nextTryAtMs
  }

  async start(outbox: Outbox): Promise<void> {
    if (this.#closed) return
    const { runtime, rest } = this.#options
    this.#outbox = outbox
    const stops = [
      runtime.setTimer(() => this.#fetch(), SOON_MS),
      // Unasked, since by the time that it is needed the network, or the server's copy of it, may be gone.
      runtime.setTimer(() => void rest.now().catch(() => {}), REST_MS),
      runtime.onLifecycle((event) => this.#hear(event)),
    ]
    this.#stop = () => {
      for (const stop of stops) stop()
    }
  }

  stored(segments: readonly Segment[], moreEvents: number): void {
    if (this.#sender) {
      this.#sender.stored(segments, moreEvents)
      return
    }
    this.#options.counters.appended(moreEvents, bytesIn(segments))
    this.#kept.push(...segments)
    for (let over = bytesIn(this.#kept) - MAX_KEPT_BYTES; over > 0; over -= this.#kept.shift()?.bytes ?? over);
    this.#fetch()
  }

  async flush(reason: FlushReason): Promise<void> {
    if (!this.#outbox || this.#closed) return
    this.#fetch()
    // One that cannot be had now is had later, like an answer of the relay.
    const isThere = this.#sender ?? (await this.#options.loader.now().catch(() => undefined))
    if (isThere) await (await this.#coming)?.flush(reason)
  }

  setAlone(isAlone: boolean): void {
    this.#isAlone = isAlone
    this.#sender?.setAlone(isAlone)
  }

  pause(reason: PauseReason): void {
    if (!this.#sender) this.#tell(this.#paused.add(reason))
    else this.#sender.pause(reason)
  }

  resume(reason: PauseReason): void {
    if (!this.#sender) this.#tell(this.#paused.delete(reason))
    else this.#sender.resume(reason)
  }

  purged(): void {
    this.#kept = []
    this.#fetch((sender) => sender.purged())
  }

  dropped(): void {
    this.#kept = []
    this.#fetch((sender) => sender.dropped())
  }

  changed(): void {
    this.#fetch((sender) => sender.changed())
  }

  async recount(): Promise<void> {
    await this.#sender?.recount()
  }

  close(): void {
    this.#closed = true
    this.#options.loader.stop()
    this.#options.rest.stop()
    this.#stop()
    this.#sender?.close()
  }

  #tell(_changed: unknown): void {
    this.#options.emit('paused', { reasons: this.pausedBy })
  }

  #fetch(then?: (sender: Sending<Outbox>) => void): void {
    if (!this.#outbox || this.#closed) return
    this.#coming ??= this.#take().catch((error) => this.#trouble('internal', String(error)))
    if (then) void this.#coming.then((sender) => sender && then(sender))
  }

  async #take(): Promise<Sending<Outbox>> {
    const { loader, emit } = this.#options
    const { createSender } = await loader.get()
    // A page that sleeps must not become the sender.
    if (this.#isAway)
      await new Promise<void>((resolve) => {
        this.#onBack = resolve
      })
    let isNews = true
    const sender = createSender({ ...this.#options, emit: (...told) => isNews && emit(...told) })
    // The application has heard of these.
    isNews = false
    for (const reason of this.#paused) sender.pause(reason)
    isNews = true
    this.#sender = sender
    sender.stored(this.#kept, 0)
    this.#kept = []
    if (this.#closed) sender.close()
    await sender.start(this.#outbox as Outbox)
    this.#isOver = true
    if (this.#isAlone) sender.setAlone(true)
    return sender
  }

  /** Until the sender is there: what a page owes to its events when it goes and comes. */
  #hear(event: LifecycleEvent): void {
    const { onAway, onBack, loader, rest } = this.#options
    if (event === 'online') {
      loader.hurry()
      rest.hurry()
    } else if (this.#isOver || event === 'offline') return
    else if (event === 'hidden') void onAway(false)
    else if (event === 'pagehide' || event === 'freeze' || event === 'ending') {
      this.#isAway = true
      void onAway(true)
    } else {
      this.#isAway = false
      onBack()
      this.#onBack()
    }
  }

  #trouble(code: string, detail: string): undefined {
    if (this.#closed) return
    const { counters, runtime, emit } = this.#options
    counters.lastTrouble = { code, detail, atMs: runtime.now() }
    emit('trouble', { code, detail })
  }
}
