import { createNanoEvents } from 'nanoevents'
import type { Meter } from '../meter/contract.ts'
import { encodeEvent } from '../meter/encode-event.ts'
import type { Durability, Outbox } from '../outbox/contract.ts'
import type { Runtime } from '../runtime/contract.ts'
import { MetertapError } from '../wire/errors.ts'
import type { Agent, RecordOptions } from './agent.ts'
import { Counters } from './counters.ts'
import { type AgentOptions, readOptions, type Settings } from './options.ts'
import { type Receipt, RefusalReceipt, TakenReceipt } from './receipt.ts'
import { Sender } from './sender.ts'
import type { AgentEvents, AgentStats } from './stats.ts'
import { Tail } from './tail.ts'

/** What a runtime's assembly gives to the agent. */
export interface AgentParts {
  readonly runtime: Runtime
  /** Opens the outbox of this name. `onDegraded` is told when a better home could not be had. */
  readonly openOutbox: (name: string, onDegraded: (error: MetertapError) => void) => Promise<Outbox>
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
  readonly #tail: Tail
  readonly #sender: Sender
  readonly #opened: Promise<Outbox>
  #durability: Durability | undefined
  #closed: Promise<void> | undefined

  constructor(settings: Settings, { runtime, openOutbox }: AgentParts) {
    this.#settings = settings
    this.#runtime = runtime
    this.#tail = new Tail({
      ...runtime,
      accountTag: settings.account,
      maxSegmentBytes: MAX_SEGMENT_BYTES,
      maxSegmentEvents: MAX_SEGMENT_EVENTS,
      onStored: (segments, durability) => {
        this.#sender.stored(segments)
        const events = segments.reduce((sum, { count }) => sum + count, 0)
        if (events > 0) this.#emit('stored', { events, durability })
      },
      onFailed: ({ code, message }) => this.#emit('trouble', { code, detail: message }),
    })
    const emit = this.#emit.bind(this)
    this.#sender = new Sender({ settings, runtime, counters: this.#counters, head: () => this.#tail.head(), emit })
    const onDegraded = ({ code, message }: MetertapError) => this.#emit('degraded', { code, detail: message })
    this.#opened = openOutbox(settings.outbox, onDegraded).then((outbox) => this.#start(outbox))
    this.#opened.catch((error) => this.#emit('trouble', { code: 'outbox_unavailable', detail: String(error) }))
  }

  record(meter: Meter, data: unknown, options?: RecordOptions): Receipt {
    try {
      if (this.#closed) throw new MetertapError('closed', 'The agent is closed. Make a new one with createAgent().')
      if (!meter || this.#settings.meters.get(meter.name) !== meter) throw unknownMeter(meter)
      const { now, utf8Length } = this.#runtime
      const atMs = timeOf(options?.at ?? now())
      const text = encodeEvent(meter, atMs, data, this.#settings.maxEventBytes, utf8Length)
      const strict = (meter.options.durability ?? this.#settings.durability) === 'power'
      const { seq, group } = this.#tail.add(text, strict)
      return new TakenReceipt(this.#tail.stream, seq, group)
    } catch (error) {
      return this.#refuse(meter, error)
    }
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

  async purge(): Promise<number> {
    const outbox = await this.#opened
    await this.#tail.settled()
    const purged = await outbox.purge({ reason: 'purged', accountTag: this.#settings.account })
    this.#sender.purged()
    return purged
  }

  stats(): AgentStats {
    const { waiting, waitingBytes, deadLetters, inFlight, accepted, requests, flushes, lastTrouble } = this.#counters
    const { recorded, refused, waiting: storing } = this.#tail
    return {
      ...{
        recorded,
        refused: { ...refused },
        storing,
        waiting,
        waitingBytes,
        deadLetters,
        inFlight,
        accepted,
        requests,
      },
      stream: recorded > 0 ? this.#tail.stream : undefined,
      flushes: { ...flushes },
      lastTrouble,
      pausedBy: this.#sender.pauses.reasons,
      sender: this.#sender.leads,
      durability: this.#durability,
      nextTryAtMs: this.#sender.nextTryAtMs,
    }
  }

  async streams(): ReturnType<Agent['streams']> {
    return (await this.#opened).streams()
  }

  async deadLetters(): ReturnType<Agent['deadLetters']> {
    return (await this.#opened).deadLetters()
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

  async #start(outbox: Outbox): Promise<Outbox> {
    this.#durability = outbox.durability
    this.#tail.attach(outbox)
    await this.#sender.start(outbox)
    return outbox
  }

  async #finish(): Promise<void> {
    const outbox = await this.#opened
    await this.#tail.settled()
    let stopWaiting = () => {}
    const enough = new Promise<void>((resolve) => {
      stopWaiting = this.#runtime.setTimer(resolve, CLOSE_WAIT_MS)
    })
    await Promise.race([this.#sender.flush('close'), enough])
    stopWaiting()
    await this.#sender.close()
    await outbox.close()
  }

  #refuse(meter: Meter, cause: unknown): Receipt {
    const error = cause instanceof MetertapError ? cause : thrownByData(meter, cause)
    if (error.code !== 'closed') this.#tail.refuse(error.code)
    this.#emit('refused', { code: error.code, message: error.message, meter: String(meter?.name) })
    return new RefusalReceipt(error)
  }

  #emit<E extends keyof AgentEvents>(event: E, detail: Parameters<AgentEvents[E]>[0]): void {
    this.#events.emit(event, ...([detail] as Parameters<AgentEvents[E]>))
  }
}

/** Numbers and Dates only: Number() would make a time of '' and true as well. */
function timeOf(at: Date | number): number {
  return typeof at === 'number' || at instanceof Date ? Number(at) : Number.NaN
}

function unknownMeter(meter: Meter): MetertapError {
  const text = `Meter "${meter?.name}" is not one of this agent's. Add the meter made by defineMeter() to createAgent({ meters }).`
  return new MetertapError('unknown_meter', text, { meter: meter?.name })
}

function thrownByData(meter: Meter, cause: unknown): MetertapError {
  const name = (cause as Error)?.name ?? typeof cause
  const text = `Meter "${meter.name}": reading the data or its schema threw a ${name}. The event was not recorded.`
  return new MetertapError('invalid_data', text, { meter: meter.name }, cause)
}

/**
 * Starts an agent on the given parts.
 * @throws MetertapError `bad_option` when an option cannot be used.
 */
export function startAgent(options: AgentOptions, parts: AgentParts): Agent {
  return new RunningAgent(readOptions(options), parts)
}
