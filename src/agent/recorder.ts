import type { Meter } from '../meter/contract.ts'
import { type EncodeOptions, encodeEvent } from '../meter/encode-event.ts'
import { refusal } from '../meter/refusal.ts'
import type { Runtime } from '../runtime/contract.ts'
import { MetertapError } from '../wire/errors.ts'
import type { RecordOptions } from './agent.ts'
import type { Admit } from './budget.ts'
import type { RecordingSettings } from './options.ts'
import { type Receipt, RefusalReceipt, TakenReceipt } from './receipt.ts'
import { soleText } from './rollup-sample.ts'
import type { Rollups } from './rollups.ts'
import type { Tail } from './tail.ts'

export interface RecorderOptions {
  readonly settings: RecordingSettings
  readonly runtime: Runtime
  readonly tail: Tail
  /** Undefined until its code is there. */
  readonly rollups: () => Rollups | undefined
  readonly admit: Admit
  readonly onRefused: (error: MetertapError, meter: string) => void
}

/** record(): validates, serialises once, numbers, and hands over to the tail. Synchronous; never throws for data. */
export class Recorder {
  readonly #options: RecorderOptions
  readonly #encoding: EncodeOptions
  #closed = false

  constructor(options: RecorderOptions) {
    this.#options = options
    const { maxEventBytes, validate } = options.settings
    this.#encoding = { maxEventBytes, validate, utf8Length: options.runtime.utf8Length }
  }

  record(meter: Meter, data: unknown, given?: RecordOptions): Receipt {
    // From plain JavaScript it can be null.
    const options = given ?? {}
    try {
      this.#check(meter)
      const atMs = timeOf(options.at ?? this.#options.runtime.now())
      return meter.options.aggregate
        ? this.#addUp(meter, atMs, data, options)
        : this.#append(meter, atMs, data, options)
    } catch (error) {
      return this.#refuse(meter, error)
    }
  }

  /** From now on record() is refused with `closed`. */
  close(): void {
    this.#closed = true
  }

  #check(meter: Meter): void {
    if (this.#closed) throw new MetertapError('closed', 'The agent is closed. Create a new agent.')
    if (meter && this.#options.settings.meters.get(meter.name) === meter) return
    throw refusal(named(meter), 'unknown_meter', " is not one of this agent's. Add it to createAgent({ meters }).")
  }

  #append(meter: Meter, atMs: number, data: unknown, { idempotencyKey }: RecordOptions): Receipt {
    return this.#add(meter, encodeEvent(meter, atMs, data, this.#encoding, idempotencyKey))
  }

  #addUp(meter: Meter, atMs: number, data: unknown, { idempotencyKey }: RecordOptions): Receipt {
    if (idempotencyKey !== undefined)
      throw refusal(meter, 'bad_idempotency_key', ' adds events up: none can have an idempotencyKey.')
    const rollups = this.#options.rollups()
    if (!rollups) return this.#add(meter, soleText(meter, atMs, data, this.#encoding))
    const { seq, group } = rollups.add(meter, atMs, data, this.#strict(meter))
    return new TakenReceipt(this.#options.tail.stream, seq, group)
  }

  #add(meter: Meter, text: string): Receipt {
    const { tail, admit } = this.#options
    admit(text.length)
    const { seq, group } = tail.add(text, this.#strict(meter))
    return new TakenReceipt(tail.stream, seq, group)
  }

  #strict(meter: Meter): boolean {
    return (meter.options.durability ?? this.#options.settings.durability) === 'power'
  }

  #refuse(meter: Meter, cause: unknown): Receipt {
    const error = cause instanceof MetertapError ? cause : thrownByData(meter, cause)
    if (error.code !== 'closed') this.#options.tail.refuse(error.code)
    this.#options.onRefused(error, named(meter).name)
    return new RefusalReceipt(error)
  }
}

/** Numbers and Dates only: Number() would make a time of '' and true as well. */
function timeOf(at: Date | number): number {
  return typeof at === 'number' || at instanceof Date ? Number(at) : Number.NaN
}

/** From plain JavaScript it can be anything. */
function named(meter: Meter): { name: string } {
  return { name: String(meter?.name) }
}

function thrownByData(meter: Meter, cause: unknown): MetertapError {
  const name = (cause as Error)?.name ?? typeof cause
  return refusal(named(meter), 'invalid_data', `: reading the data or its schema threw a ${name}.`, {}, cause)
}
