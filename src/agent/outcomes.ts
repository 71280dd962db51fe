import { eventId } from '../meter/contract.ts'
import type { Claim, OutboxTotals, RecordingOutbox, Settled } from '../outbox/contract.ts'
import { eventsIn } from '../outbox/core/sums.ts'
import type { Counters } from './counters.ts'
import { countAnew, countRequest } from './counting.ts'
import type { FailedOutcome } from './deliver.ts'
import type { AgentEvents } from './stats.ts'

export type Emit = <E extends keyof AgentEvents>(event: E, detail: Parameters<AgentEvents[E]>[0]) => void

export interface OutcomesOptions {
  readonly counters: Counters
  readonly emit: Emit
  readonly now: () => number
  /** The outbox was counted anew. */
  readonly onCounted: () => void
}

/** Tells counters and listeners what came of requests. */
export class Outcomes {
  readonly #options: OutcomesOptions
  #closed = false

  constructor(options: OutcomesOptions) {
    this.#options = options
  }

  sending(claim: Claim | undefined): void {
    countRequest(this.#options.counters, claim && eventsIn(claim.segments))
  }

  settled({ received, dead, totals }: Settled): void {
    const { counters, emit } = this.#options
    const isNews = totals && this.#take(totals)
    counters.accepted += received
    if (received > 0) emit('settled', { received })
    else if (isNews) emit('counted', {})
    for (const { stream, seq, code, detail } of dead) emit('deadletter', { id: eventId(stream, seq), code, detail })
  }

  failed(outcome: FailedOutcome): void {
    this.#trouble(outcome.kind === 'unauthorized' ? 'unauthorized' : outcome.code, outcome.detail)
  }

  /** A defect, or an outbox that does not work. */
  thrown(error: unknown): void {
    this.#trouble('internal', String((error as Error)?.message ?? error))
  }

  /** Somebody else's trouble. */
  told({ code, detail }: { readonly code: string; readonly detail: string }): void {
    this.#trouble(code, detail)
  }

  async count(outbox: RecordingOutbox): Promise<void> {
    try {
      if (this.#take(await outbox.totals())) this.#options.emit('counted', {})
    } catch {
      // Only a display: the next append or settlement counts again.
    }
  }

  close(): void {
    this.#closed = true
  }

  /** True when it differs from what was known. */
  #take(totals: OutboxTotals): boolean {
    const isNews = countAnew(this.#options.counters, totals)
    this.#options.onCounted()
    return isNews
  }

  #trouble(code: string, detail: string): void {
    // What was cut off by close() is no news.
    if (this.#closed) return
    const { counters, emit, now } = this.#options
    counters.lastTrouble = { code, detail, atMs: now() }
    emit('trouble', { code, detail })
  }
}
