import type { Claim, Outbox, Segment, Settled, StreamHead } from '../outbox/contract.ts'
import type { Runtime } from '../runtime/contract.ts'
import { createExitCourier, EXIT_BUDGET_BYTES, type ExitCourier } from '../transport/exit.ts'
import { ExitMirror } from './exit.ts'

export interface LastWordsOptions {
  readonly relay: string
  readonly runtime: Runtime
  /** This agent's own stream. */
  readonly head: () => StreamHead
  readonly onSettled: (settled: Settled) => void
}

/** Where and as whom to speak. */
export interface Occasion {
  readonly outbox: Outbox
  readonly device: string
  readonly token: string
  /** True when the page may not live to see the answer of a request that is under way. */
  readonly isFinal: boolean
}

/** What this agent says when its page is put away: its newest unsent events, without waiting for anything. */
export class LastWords {
  readonly #options: LastWordsOptions
  readonly #mirror: ExitMirror
  readonly #courier: ExitCourier
  #inFlight = new Set<number>()

  constructor(options: LastWordsOptions) {
    this.#options = options
    const { fetch, utf8Length, fetchLater } = options.runtime
    // One load for each courier.
    this.#mirror = new ExitMirror(EXIT_BUDGET_BYTES * (fetchLater ? 2 : 1))
    this.#courier = createExitCourier({ fetch, fetchLater, url: `${options.relay}/v1/exit`, utf8Length })
  }

  stored(segments: readonly Segment[]): void {
    for (const segment of segments) this.#mirror.add(segment)
  }

  /** A request with these is under way; undefined when it is over. */
  sending(claim: Claim | undefined): void {
    this.#inFlight = new Set(claim ? this.#own(claim) : [])
  }

  settled(claim: Claim): void {
    for (const first of this.#own(claim)) this.#mirror.remove(first)
  }

  forget(): void {
    this.#mirror.clear()
  }

  /**
   * Says what is stored at once, and what is being stored when it is, if there is that much time. `occasion` gives
   * undefined when there is none, or none any more.
   */
  async leave(occasion: () => Occasion | undefined, stored: Promise<void>): Promise<void> {
    this.#speak(occasion())
    await stored
    this.#speak(occasion())
  }

  #speak(occasion: Occasion | undefined): void {
    if (!occasion) return
    const { outbox, device, token, isFinal } = occasion
    const { runtime, head, onSettled } = this.#options
    const { stream: id, recorded, dropped = {}, refused } = head()
    const exit = { courier: this.#courier, outbox, device, now: runtime.now, onSettled }
    const report = { id, recorded, dropped, refused }
    this.#mirror.send(exit, report, token, isFinal ? undefined : this.#inFlight)
    if (isFinal) this.#mirror.leaveBehind(exit, report, token)
  }

  #own({ segments }: Claim): number[] {
    const { stream: own } = this.#options.head()
    return segments.filter(({ stream }) => stream === own).map(({ first }) => first)
  }
}
