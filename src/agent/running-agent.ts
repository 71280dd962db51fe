import { createNanoEvents } from 'nanoevents'
import type { Meter } from '../meter/contract.ts'
import type { DeadLetter, Durability, RecordingOutbox } from '../outbox/contract.ts'
import { eventsIn } from '../outbox/core/sums.ts'
import type { Runtime } from '../runtime/contract.ts'
import type { MetertapError } from '../wire/errors.ts'
import type { Agent, DeadLetterId, PurgeReceipt, RecordOptions } from './agent.ts'
import { Counters } from './counters.ts'
import type { DeadLetters } from './dead-letters.ts'
import type * as Extras from './extras.ts'
import { Intake } from './intake.ts'
import type { Later } from './later.ts'
import type { RecordingSettings } from './options.ts'
import type { Receipt } from './receipt.ts'
import type { Room } from './room.ts'
import type { Sending, SendingOptions } from './sending.ts'
import { Spill } from './spill.ts'
import type { AgentEvents, AgentStats } from './stats.ts'
import type { StreamBook } from './stream-book.ts'

/** How an outbox's home tells of its troubles. */
export interface OutboxWatch {
  /** A better home could not be had, or was lost: events are kept in memory. */
  readonly onDegraded: (error: MetertapError) => void
  /** What was kept in memory is stored again. */
  readonly onRecovered: () => void
  /** Something is wrong that the application should hear of; nothing is lost by it. */
  readonly onTrouble: (error: MetertapError) => void
}

/** What a runtime's assembly gives to the agent. */
export interface AgentParts<O extends RecordingOutbox> {
  readonly runtime: Runtime
  /** Where it can be opened within the call, the agent stores from its first event on. */
  readonly openOutbox: (name: string, watch: OutboxWatch) => O | Promise<O>
  /** Where several agents number one stream together. Default: each opens its own. */
  readonly book?: StreamBook
  /** False where no timer outlives the task: windows of roll-ups then end with each group commit. Default true. */
  readonly keepsWindows?: boolean
}

/** Code that an agent needs at times only. */
type Extra = Omit<typeof Extras, 'restoreSpill'>
/** Code that it needs as soon as it sends. */
type Restoring = Pick<typeof Extras, 'restoreSpill'>

/** How long close() waits for the last request. */
const CLOSE_WAIT_MS = 5_000

/** An agent at work: what it records goes into an outbox, and somebody sees that it is sent. */
export class RunningAgent<O extends RecordingOutbox> implements Agent {
  readonly #settings: RecordingSettings
  readonly #runtime: Runtime
  readonly #events = createNanoEvents<AgentEvents>()
  readonly #counters = new Counters()
  readonly #intake: Intake
  readonly #sender: Sending<O>
  readonly #extras: Later<Extra>
  readonly #restoring: Later<Restoring>
  #dead: DeadLetters | undefined
  #room: Room | undefined
  readonly #spill: Spill
  readonly #opened: Promise<O>
  readonly #stopSpilling: () => void
  #outbox: O | undefined
  #restored: Promise<void> | undefined
  #durability: Durability | undefined
  #closed: Promise<void> | undefined

  constructor(
    settings: RecordingSettings,
    parts: AgentParts<O>,
    createSending: (options: SendingOptions) => Sending<O>,
    extras: Later<Extra>,
    restoring: Later<Restoring>,
  ) {
    const { runtime, openOutbox } = parts
    this.#settings = settings
    this.#runtime = runtime
    this.#extras = extras
    this.#restoring = restoring
    this.#intake = this.#createIntake(parts)
    const intake = this.#intake
    this.#sender = createSending({
      runtime,
      counters: this.#counters,
      head: () => intake.head(),
      emit: this.#emit.bind(this),
      onAway: (isFinal) => this.#leave(isFinal),
      onBack: () => {
        // The page lives: what it has in hand is its own again.
        this.#spill.keep()
        intake.wake()
      },
      purges: () => this.#dead?.purges,
      onPurged: () => intake.forget(),
    })
    this.#spill = new Spill(runtime.storage, settings.outbox)
    this.#stopSpilling = runtime.onLifecycle(() => void this.#leave(true))
    const opening = openOutbox(settings.outbox, this.#watch())
    this.#opened = opening instanceof Promise ? opening.then((outbox) => this.#start(outbox)) : this.#start(opening)
    this.#opened.catch((error) => this.#emit('trouble', { code: 'outbox_unavailable', detail: String(error) }))
  }

  record(meter: Meter, data: unknown, options?: RecordOptions): Receipt {
    return this.#intake.record(meter, data, options)
  }

  async flush(): Promise<void> {
    await this.#opened
    await this.#intake.store()
    await this.#sender.flush('manual')
  }

  pause(reason: string): void {
    this.#sender.pause(reason)
  }

  resume(reason: string): void {
    this.#sender.resume(reason)
  }

  async purge(): Promise<PurgeReceipt> {
    const outbox = await this.#opened
    const letters = await this.#letters()
    // What pages that have gone had put aside waits, too.
    await this.#restored
    await this.#intake.store()
    this.#intake.forget()
    const receipt = await letters.purge(outbox, this.#counters.inFlight, () => this.#arrived())
    this.#sender.purged()
    return { ...receipt, atMs: this.#runtime.now() }
  }

  stats(): AgentStats {
    return {
      ...this.#intake.counts,
      ...this.#counters,
      flushes: { ...this.#counters.flushes },
      pausedBy: this.#sender.pausedBy,
      sender: this.#sender.leads,
      durability: this.#durability,
      nextTryAtMs: this.#sender.nextTryAtMs,
    }
  }

  async streams(): ReturnType<Agent['streams']> {
    return (await this.#opened).streams()
  }

  async deadLetters(): Promise<DeadLetter[]> {
    return (await this.#letters()).list()
  }

  async retryDeadLetters(letters?: readonly DeadLetterId[]): Promise<number> {
    return (await this.#letters()).retry(letters)
  }

  async deleteDeadLetters(letters: readonly DeadLetterId[]): Promise<void> {
    await (await this.#letters()).delete(letters)
  }

  async exportDeadLetters(): Promise<string> {
    return (await this.#letters()).export()
  }

  on<E extends keyof AgentEvents>(event: E, listener: AgentEvents[E]): () => void {
    const heard = listener as (detail: unknown) => void
    const guarded = (detail: unknown) => {
      try {
        heard(detail)
      } catch (error) {
        this.#runtime.reportError(error)
      }
    }
    return this.#events.on(event, guarded as AgentEvents[E])
  }

  close(): Promise<void> {
    this.#closed ??= this.#finish()
    return this.#closed
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  async #letters(): Promise<DeadLetters> {
    const { DeadLetters } = await this.#extras.now()
    const onChanged = () => this.#sender.changed()
    this.#dead ??= new DeadLetters({ opened: this.#opened, accountTag: this.#settings.account, onChanged })
    return this.#dead
  }

  #watch(): OutboxWatch {
    return {
      onDegraded: ({ code, message }) => {
        this.#durability = 'memory'
        this.#sender.setAlone(true)
        this.#emit('degraded', { code, detail: message })
      },
      onRecovered: () => {
        this.#arrived()
        this.#durability = this.#outbox?.durability
        this.#sender.setAlone(false)
        this.#emit('recovered', {})
      },
      onTrouble: ({ code, message }) => this.#emit('trouble', { code, detail: message }),
    }
  }

  async #start(outbox: O): Promise<O> {
    this.#outbox = outbox
    this.#durability = outbox.durability
    this.#intake.attach(outbox)
    await this.#sender.start(outbox)
    this.#stopSpilling()
    this.#restored = this.#restore(outbox)
    return outbox
  }

  /**
   * The page may be gone soon. Stores all there is, and puts aside what is not stored yet: what a page had under way when
   * it went may come to nothing. Where it stays after all, this costs no more than a little time.
   */
  #leave(isFinal: boolean): Promise<void> {
    const stored = isFinal ? this.#intake.storeAll() : this.#intake.store()
    this.#putAside()
    return stored
  }

  #putAside(): void {
    const underWay = this.#intake.unstored()
    this.#spill.keep(this.#outbox?.putAside?.(underWay) ?? underWay)
  }

  /** Something of it may be stored, or given up: what was put aside of that must not come back. */
  #arrived(): void {
    if (this.#spill.isKept) this.#putAside()
  }

  async #restore(outbox: O): Promise<void> {
    try {
      const { restoreSpill } = await this.#restoring.arrived
      const { events, trouble } = await restoreSpill(this.#runtime.storage, this.#settings.outbox, outbox)
      if (events > 0) this.#sender.changed()
      if (trouble) this.#emit('trouble', trouble)
    } catch (error) {
      this.#emit('trouble', { code: 'outbox_unavailable', detail: String(error) })
    }
  }

  #createIntake({ book, keepsWindows }: AgentParts<O>): Intake {
    const emit = this.#emit.bind(this)
    return new Intake({
      settings: this.#settings,
      runtime: this.#runtime,
      book,
      keepsWindows,
      extras: this.#extras,
      storedBytes: () => this.#counters.waitingBytes,
      onStored: (segments, durability, moreEvents) => {
        this.#arrived()
        this.#sender.stored(segments, moreEvents)
        const events = eventsIn(segments)
        if (events > 0) emit('stored', { events, durability })
        this.#makeRoom()
      },
      onFailed: ({ code, message }) => {
        this.#arrived()
        emit('trouble', { code, detail: message })
      },
      onRefused: ({ code, message }, meter) => emit('refused', { code, message, meter }),
    })
  }

  /** Where the policy says that what has waited longest gives way. */
  #makeRoom(): void {
    const settings = this.#settings
    const counters = this.#counters
    if (settings.overflow !== 'drop-oldest' || counters.waitingBytes <= settings.maxOutboxBytes) return
    void this.#extras.get().then(({ Room }) => {
      const parts = { settings, counters, sender: this.#sender, opened: this.#opened, now: this.#runtime.now }
      this.#room ??= new Room({ ...parts, emit: this.#emit.bind(this) })
      return this.#room.make()
    })
  }

  async #finish(): Promise<void> {
    await this.#intake.close(this.#opened)
    let stopWaiting = () => {}
    const enough = new Promise<void>((resolve) => {
      stopWaiting = this.#runtime.setTimer(resolve, CLOSE_WAIT_MS)
    })
    await Promise.race([this.#sender.flush('close'), enough])
    stopWaiting()
    this.#sender.close()
    await (await this.#opened).close()
  }

  #emit<E extends keyof AgentEvents>(event: E, detail: Parameters<AgentEvents[E]>[0]): void {
    this.#events.emit(event, ...([detail] as Parameters<AgentEvents[E]>))
  }
}
