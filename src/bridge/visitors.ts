import { MetertapError } from '../wire/errors.ts'
import type { BridgeLimits } from './contract.ts'
import { Pacer } from './pacer.ts'

/** Questions in the long run; more wait. Some of them read much. */
const ASKS_PER_SECOND = 50
/** New agents in the long run; more are refused. */
const AGENTS_PER_SECOND = 2
const AGENTS_AT_ONCE = 64
/** How often a page may cut a backoff short. */
const FORCED_PER_SECOND = 1

/** What one window has under way, and how fast it may go on. */
class Visitor {
  readonly #limits: BridgeLimits
  readonly #messages: Pacer
  readonly #bytes: Pacer
  readonly #asks: Pacer
  readonly #agents: Pacer
  readonly #forced: Pacer
  #waiting = 0
  #waitingBytes = 0

  constructor(limits: BridgeLimits, monotonic: () => number) {
    this.#limits = limits
    this.#messages = new Pacer({ monotonic, perSecond: limits.messagesPerSecond })
    this.#bytes = new Pacer({ monotonic, perSecond: limits.bytesPerSecond })
    this.#asks = new Pacer({ monotonic, perSecond: ASKS_PER_SECOND })
    this.#agents = new Pacer({ monotonic, perSecond: AGENTS_PER_SECOND, burst: AGENTS_AT_ONCE })
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

  delayMs(bytes: number, isAsk: boolean): number {
    return Math.max(this.#messages.take(1), this.#bytes.take(bytes), isAsk ? this.#asks.take(1) : 0)
  }

  mayBeginAgent(): boolean {
    return this.#agents.tryTake()
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
