import { eventId } from '../meter/contract.ts'
import type { Durability } from '../outbox/contract.ts'
import type { MetertapError } from '../wire/errors.ts'

/** One group commit's fate, shared by its receipts. The promise exists only if somebody asks for it. */
export class Group {
  #outcome: { durability: Durability } | { error: MetertapError } | undefined
  #promise: Promise<Durability> | undefined
  #settle: (() => void) | undefined

  get durable(): Promise<Durability> {
    this.#promise ??= new Promise((resolve, reject) => {
      this.#settle = () => {
        if (!this.#outcome) return
        if ('error' in this.#outcome) reject(this.#outcome.error)
        else resolve(this.#outcome.durability)
      }
      this.#settle()
    })
    return this.#promise
  }

  stored(durability: Durability): void {
    this.#outcome = { durability }
    this.#settle?.()
  }

  failed(error: MetertapError): void {
    this.#outcome = { error }
    this.#settle?.()
  }
}

/** An event that was taken. */
export interface AcceptedReceipt {
  /** The event's id, `<stream>-<seq>`, the same all the way to the upstream. */
  readonly id: string
  /**
   * Resolves once the event is stored, with what it then survives: 'memory' (nothing), 'process' (the death of the
   * page or browser) or 'power' (a power cut too). Rejects with a MetertapError if it cannot be stored.
   */
  readonly durable: Promise<Durability>
  /** Nothing was wrong with the call. */
  readonly error: undefined
}

/** An event that was refused, with the reason; it got no number. */
export interface RefusedReceipt {
  /** It has none. */
  readonly id: undefined
  /** Rejects with `error`. */
  readonly durable: Promise<never>
  /** Why: its `code` is stable, its message says what to do. */
  readonly error: MetertapError
}

/** What record() gives back, at once: `error` tells the two apart. */
export type Receipt = AcceptedReceipt | RefusedReceipt

/** A class with getters, so that a receipt nobody reads costs two fields and no promise. */
export class TakenReceipt implements AcceptedReceipt {
  readonly error = undefined
  readonly #stream: string
  readonly #seq: number
  readonly #group: Group

  constructor(stream: string, seq: number, group: Group) {
    this.#stream = stream
    this.#seq = seq
    this.#group = group
  }

  get id(): string {
    return eventId(this.#stream, this.#seq)
  }

  get durable(): Promise<Durability> {
    return this.#group.durable
  }
}

/** @see RefusedReceipt */
export class RefusalReceipt implements RefusedReceipt {
  readonly id = undefined
  readonly error: MetertapError

  constructor(error: MetertapError) {
    this.error = error
  }

  get durable(): Promise<never> {
    return Promise.reject(this.error)
  }
}
