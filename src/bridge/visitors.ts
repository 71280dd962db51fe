import { MetertapError } from '../wire/errors.ts'
import type { BridgeLimits } from './contract.ts'
import { Pacer } from './pacer.ts'

/** How often a page may cut a backoff short. */
const FORCED_PER_SECOND = 1

/** What one window has under way, and how fast it may go on. */
class Visitor {
  readonly #limits: BridgeLimits
  readonly #messages: Pacer
  readonly #bytes: Pacer
  readonly #forced: Pacer
  #waiting = 0
  #waitingBytes = 0

  constructor(limits: BridgeLimits, monotonic: () => number) {
    this.#limits = limits
    this.#messages = new Pacer({ monotonic, perSecond: limits.messagesPerSecond })
    this.#bytes = new Pacer({ monotonic, perSecond: limits.bytesPerSecond })
    this.#forced = new Pacer({ monotonic, perSecond: FORCED_PER_SECOND })
  }

  /**
   * Gives the function to call when the message is answered.
   * @throws MetertapError `not_allowed` when too much has no answer yet.
   */
  enter(bytes: number): () => void {
    const { maxWaitingMessages, maxWaitingBytes } = this.#limits
    if (this.#waiting >= maxWaitingMessages || this.#waitingBytes + bytes > maxWaitingBytes) throw tooMuch()
    this.#waiting++
    this.#waitingBytes += bytes
    return () => {
      this.#waiting--
      this.#waitingBytes -= bytes
    }
  }

  delayMs(bytes: number): number {
    return Math.max(this.#messages.take(1), this.#bytes.take(bytes))
  }

  mayForce(): boolean {
    return this.#forced.tryTake()
  }
}

/** Windows by the number of their webContents. */
export class Visitors {
  readonly #limits: BridgeLimits
  readonly #monotonic: () => number
  readonly #visitors = new Map<number, Visitor>()

  constructor(limits: BridgeLimits, monotonic: () => number) {
    this.#limits = limits
    this.#monotonic = monotonic
  }

  of(senderId: number): Visitor {
    const known = this.#visitors.get(senderId)
    if (known) return known
    const visitor = new Visitor(this.#limits, this.#monotonic)
    this.#visitors.set(senderId, visitor)
    return visitor
  }

  forget(senderId: number): void {
    this.#visitors.delete(senderId)
  }
}

function tooMuch(): MetertapError {
  return new MetertapError('not_allowed', 'Too many messages of this window have no answer yet: it was refused unread.')
}
