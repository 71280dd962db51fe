import type { PeerChannel, PeerMessage, Runtime } from '../runtime/contract.ts'
import { createLeader, type Leader } from '../schedule/leader.ts'
import { createWatchdog, type Watchdog } from '../schedule/watchdog.ts'

export interface PeersOptions {
  readonly runtime: Pick<Runtime, 'openChannel' | 'locks' | 'setTimer' | 'queueMicrotask'>
  /** Of the lock and of the channel: the same for all agents of one outbox and account. */
  readonly name: string
  /** False for an outbox that only this agent sees: nobody else can send it. */
  readonly isShared: boolean
  /** Tells this agent's questions from those of others. */
  readonly own: () => string
  readonly hooks: PeerHooks
}

export interface PeerHooks {
  /** This agent is the sender now: sends what waits. */
  onOffice(): Promise<void>
  /** Others have something to send. */
  onWish(): void
  /** Another agent waits until all that can be sent is sent. */
  onFlush(): Promise<void>
  /** Another agent changed the outbox. */
  onChanged(): void
  /** Another agent has erased what waits. */
  onPurged(): void
}

/** How long flush() waits for the agent that sends, if that is another one. */
const PEER_WAIT_MS = 10_000

/** The other agents of the same outbox and account: one of them is the sender, and the others tell it their wishes. */
export class Peers {
  readonly #options: PeersOptions
  readonly #channel: PeerChannel | undefined
  readonly #leader: Leader
  readonly #watchdog: Watchdog
  /** flush() calls that wait for the sender. */
  readonly #waiting = new Map<string, () => void>()
  #questions = 0
  /** The sender knows that something waits. */
  #hasAsked = false
  #isStopped = false

  constructor(options: PeersOptions) {
    this.#options = options
    const { runtime, name, isShared } = options
    this.#channel = runtime.openChannel(name, (message) => this.#hear(message))
    // A follower that cannot ask would wait for ever: then everyone sends, and leases keep them apart.
    const locks = isShared && this.#channel ? runtime.locks : undefined
    this.#watchdog = createWatchdog({ setTimer: runtime.setTimer, onSilence: () => this.#leader.seize() })
    this.#leader = createLeader({ locks, name, onLead: () => runtime.queueMicrotask(() => void this.#takeOffice()) })
  }

  get leads(): boolean {
    return this.#leader.leads
  }

  /** False where there are no locks: every agent sends. */
  get exclusive(): boolean {
    return this.#leader.exclusive
  }

  stand(): void {
    if (!this.#isStopped) this.#leader.stand()
  }

  stepDown(): void {
    this.#watchdog.stop()
    this.#leader.stepDown()
  }

  /** Resolves when a candidacy that nobody stands against has had its answer. */
  async elected(): Promise<void> {
    // Locks answer in the order of being asked.
    if (!this.leads && !this.#isStopped) await this.#options.runtime.locks?.query().catch(() => {})
  }

  /** Something waits for the sender. */
  ask(): void {
    if (this.leads) return
    this.#hasAsked = false
    this.#question('flush')
  }

  /** Something more waits: said once until the sender has sent something, or this agent asks anyway. */
  askOnce(): void {
    if (this.leads || this.#hasAsked) return
    this.#hasAsked = true
    this.#question('flush')
  }

  /** Resolves when the sender has done what it could, or has not answered in time. */
  flush(): Promise<void> {
    const of = `${this.#options.own()}:${this.#questions++}`
    return new Promise((resolve) => {
      const stop = this.#options.runtime.setTimer(() => this.#answered(of), PEER_WAIT_MS)
      this.#waiting.set(of, () => {
        stop()
        resolve()
      })
      this.#question('flush-now', of)
    })
  }

  /** Says it to all, and waits for no answer. */
  tell(kind: PeerMessage['kind'], of?: string): void {
    // A closed channel throws.
    if (!this.#isStopped) this.#channel?.post(of === undefined ? { kind } : { kind, of })
  }

  stop(): void {
    this.stepDown()
    this.#isStopped = true
    for (const of of [...this.#waiting.keys()]) this.#answered(of)
    this.#channel?.close()
  }

  async #takeOffice(): Promise<void> {
    if (!this.leads) return
    this.tell('lead')
    const mine = [...this.#waiting.keys()]
    await this.#options.hooks.onOffice()
    for (const of of mine) this.#answered(of)
  }

  /** Whoever sends answers at once; one that does not is replaced. */
  #question(kind: PeerMessage['kind'], of?: string): void {
    this.tell(kind, of)
    if (this.#leader.exclusive) this.#watchdog.asked()
  }

  #hear({ kind, of }: PeerMessage): void {
    if (kind === 'flush' || kind === 'flush-now') {
      if (this.leads) void this.#serve(of)
    } else if (kind === 'purged') this.#options.hooks.onPurged()
    else this.#hearSender(kind, of)
  }

  #hearSender(kind: PeerMessage['kind'], of: string | undefined): void {
    this.#watchdog.heard()
    if (kind === 'alive') return
    this.#hasAsked = false
    if (kind === 'settled') this.#options.hooks.onChanged()
    if (kind === 'idle' && of !== undefined) this.#answered(of)
    if (kind !== 'lead') return
    // Questions to the one before may not have been heard.
    for (const open of this.#waiting.keys()) this.tell('flush-now', open)
  }

  /** Twenty tabs' wishes become one request: the sender's own interval gathers them. */
  async #serve(of: string | undefined): Promise<void> {
    this.tell('alive')
    if (of === undefined) return this.#options.hooks.onWish()
    await this.#options.hooks.onFlush()
    this.tell('idle', of)
  }

  #answered(of: string): void {
    this.#waiting.get(of)?.()
    this.#waiting.delete(of)
  }
}
