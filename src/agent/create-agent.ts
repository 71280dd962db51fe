import { createNanoEvents } from 'nanoevents'
import type { Meter } from '../meter/contract.ts'
import type { DeadLetter, Durability, Outbox, Segment } from '../outbox/contract.ts'
import type { Runtime } from '../runtime/contract.ts'
import type { MetertapError } from '../wire/errors.ts'
import type { Agent, DeadLetterId, PurgeReceipt, RecordOptions } from './agent.ts'
import { Budget } from './budget.ts'
import { Counters } from './counters.ts'
import { deadLettersOf, toNdjson } from './dead-letters.ts'
import { type AgentOptions, readOptions, type Settings } from './options.ts'
import { StreamLock } from './orphans.ts'
import type { Receipt } from './receipt.ts'
import { Recorder } from './recorder.ts'
import { Rollups } from './rollups.ts'
import { Sender } from './sender.ts'
import type { AgentEvents, AgentStats } from './stats.ts'
import { Tail } from './tail.ts'

/** How an outbox's home tells of its troubles. */
export interface OutboxWatch {
  /** A better home could not be had, or was lost: events are kept in memory. */
  readonly onDegraded: (error: MetertapError) => void
  /** What was kept in memory is stored again. */
  readonly onRecovered: () => void
}

/** What a runtime's assembly gives to the agent. */
export interface AgentParts {
  readonly runtime: Runtime
  readonly openOutbox: (name: string, watch: OutboxWatch) => Promise<Outbox>
}

/** A segment fits one exit request; a burst becomes several segments in one transaction. */
const MAX_SEGMENT_BYTES = 49_152
const MAX_SEGMENT_EVENTS = 1_000
/** How long close() waits for the last request. */
const CLOSE_WAIT_MS = 5_000

class RunningAgent implements Agent {
  readonly #settings: Settings
  readonly #runtime: Runtime
  readonly #events = createNanoEvents<AgentEvents>()
  readonly #counters = new Counters()
  readonly #budget: Budget
  readonly #tail: Tail
  readonly #rollups: Rollups
  readonly #recorder: Recorder
  readonly #streamLock: StreamLock
  readonly #sender: Sender
  readonly #opened: Promise<Outbox>
  #outbox: Outbox | undefined
  #durability: Durability | undefined
  #closed: Promise<void> | undefined

  constructor(settings: Settings, { runtime, openOutbox }: AgentParts) {
    const { now, setTimer } = runtime
    const counters = this.#counters
    this.#settings = settings
    this.#runtime = runtime
    this.#streamLock = new StreamLock(runtime.locks)
    this.#budget = new Budget({ settings, counters })
    this.#tail = new Tail({
      ...runtime,
      accountTag: settings.account,
      maxSegmentBytes: MAX_SEGMENT_BYTES,
      maxSegmentEvents: MAX_SEGMENT_EVENTS,
      onStored: (segments, durability) => this.#onStored(segments, durability),
      onFailed: ({ code, message }) => this.#emit('trouble', { code, detail: message }),
      rollups: () => this.#rollups.take(),
    })
    const tail = this.#tail
    const reserve = () => {
      this.#streamLock.hold(tail.stream)
      return tail.reserve()
    }
    this.#rollups = new Rollups({ now, setTimer, reserve, onDue: () => tail.touch() })
    const rollups = this.#rollups
    const onRefused = ({ code, message }: MetertapError, meter: string) =>
      this.#emit('refused', { code, message, meter })
    this.#recorder = new Recorder({ settings, runtime, tail, rollups, budget: this.#budget, onRefused })
    const onAway = () => this.#putAway()
    const emit = this.#emit.bind(this)
    this.#sender = new Sender({ settings, runtime, counters, head: () => tail.head(), emit, onAway })
    this.#opened = openOutbox(settings.outbox, this.#watch()).then((outbox) => this.#start(outbox))
    this.#opened.catch((error) => this.#emit('trouble', { code: 'outbox_unavailable', detail: String(error) }))
  }

  record(meter: Meter, data: unknown, options?: RecordOptions): Receipt {
    return this.#recorder.record(meter, data, options)
  }

  async flush(): Promise<void> {
    await this.#opened
    await this.#tail.settled()
    await this.#sender.flush('manual')
  }

  pause(reason: string): void {
    this.#sender.pause(reason)
  }

  resume(reason: string): void {
    this.#sender.resume(reason)
  }

  async purge(): Promise<PurgeReceipt> {
    const { account: accountTag } = this.#settings
    const outbox = await this.#opened
    await this.#tail.settled()
    this.#rollups.forget()
    const events = await outbox.purge({ reason: 'purged', accountTag })
    const letters = await deadLettersOf(outbox, accountTag)
    await outbox.deleteDeadLetters(letters)
    this.#sender.purged()
    return { events, deadLetters: letters.length, accountTag, atMs: this.#runtime.now() }
  }

  stats(): AgentStats {
    const { waiting, waitingBytes, deadLetters, inFlight, accepted, requests, flushes, lastTrouble } = this.#counters
    const { recorded, refused, waiting: storing } = this.#tail
    const counts = { waiting, waitingBytes, deadLetters, inFlight, accepted, requests, recorded, storing }
    return {
      ...counts,
      refused: { ...refused },
      stream: recorded > 0 ? this.#tail.stream : undefined,
      flushes: { ...flushes },
      lastTrouble,
      pausedBy: this.#sender.pauses.reasons,
      sender: this.#sender.leads,
      durability: this.#durability,
      openWindows: this.#rollups.size,
      nextTryAtMs: this.#sender.nextTryAtMs,
    }
  }

  async streams(): ReturnType<Agent['streams']> {
    return (await this.#opened).streams()
  }

  async deadLetters(): Promise<DeadLetter[]> {
    return deadLettersOf(await this.#opened, this.#settings.account)
  }

  async retryDeadLetters(letters?: readonly DeadLetterId[]): Promise<number> {
    const outbox = await this.#opened
    const own = await this.deadLetters()
    const wanted = letters && new Set(letters.map(({ stream, seq }) => `${stream}-${seq}`))
    const chosen = wanted ? own.filter(({ stream, seq }) => wanted.has(`${stream}-${seq}`)) : own
    const retried = await outbox.retryDeadLetters(chosen)
    this.#sender.changed()
    return retried
  }

  async deleteDeadLetters(letters: readonly DeadLetterId[]): Promise<void> {
    await (await this.#opened).deleteDeadLetters(letters)
    this.#sender.changed()
  }

  async exportDeadLetters(): Promise<string> {
    return toNdjson(await this.deadLetters())
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

  #watch(): OutboxWatch {
    return {
      onDegraded: ({ code, message }) => {
        this.#durability = 'memory'
        this.#emit('degraded', { code, detail: message })
      },
      onRecovered: () => {
        this.#durability = this.#outbox?.durability
        this.#emit('recovered', {})
      },
    }
  }

  async #start(outbox: Outbox): Promise<Outbox> {
    this.#outbox = outbox
    this.#durability = outbox.durability
    this.#tail.attach(outbox)
    await this.#sender.start(outbox)
    return outbox
  }

  #onStored(segments: readonly Segment[], durability: Durability): void {
    this.#sender.stored(segments)
    const events = segments.reduce((sum, { count }) => sum + count, 0)
    if (events > 0) this.#emit('stored', { events, durability })
    const overBytes = this.#budget.settled()
    if (overBytes > 0) void this.#makeRoom(overBytes)
  }

  async #makeRoom(bytes: number): Promise<void> {
    const nowMs = this.#runtime.now()
    const events = (await this.#outbox?.dropOldest({ bytes, reason: 'outbox_full', nowMs })) ?? 0
    this.#sender.changed()
    if (events > 0) this.#emit('dropped', { events, reason: 'outbox_full' })
  }

  /** The page is put aside and may never come back: what is open becomes events now. */
  #putAway(): void {
    this.#rollups.close(true)
    this.#tail.commit()
    this.#streamLock.release()
  }

  async #finish(): Promise<void> {
    this.#recorder.close()
    this.#rollups.close(true)
    this.#rollups.stop()
    const outbox = await this.#opened
    await this.#tail.settled()
    this.#streamLock.release()
    let stopWaiting = () => {}
    const enough = new Promise<void>((resolve) => {
      stopWaiting = this.#runtime.setTimer(resolve, CLOSE_WAIT_MS)
    })
    await Promise.race([this.#sender.flush('close'), enough])
    stopWaiting()
    await this.#sender.close()
    await outbox.close()
  }

  #emit<E extends keyof AgentEvents>(event: E, detail: Parameters<AgentEvents[E]>[0]): void {
    this.#events.emit(event, ...([detail] as Parameters<AgentEvents[E]>))
  }
}

/**
 * Starts an agent on the given parts.
 * @throws MetertapError `bad_option` when an option cannot be used.
 */
export function startAgent(options: AgentOptions, parts: AgentParts): Agent {
  return new RunningAgent(readOptions(options), parts)
}
