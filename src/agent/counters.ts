import type { OutboxTotals } from '../outbox/contract.ts'
import type { FlushReason } from '../schedule/contract.ts'
import type { AgentStats } from './stats.ts'

/** What the agent counts while it runs; stats() is a view of it. */
export class Counters {
  waiting = 0
  waitingBytes = 0
  deadLetters = 0
  inFlight = 0
  accepted = 0
  requests = 0
  lastTrouble: AgentStats['lastTrouble']
  readonly flushes: Partial<Record<FlushReason, number>> = {}

  flushed(reason: FlushReason): void {
    this.flushes[reason] = (this.flushes[reason] ?? 0) + 1
  }

  appended(events: number, bytes: number): void {
    this.waiting += events
    this.waitingBytes += bytes
  }

  /** So many have left: an estimate until the outbox is counted anew. */
  left(events: number): void {
    const kept = Math.max(0, this.waiting - events)
    this.waitingBytes = kept === 0 ? 0 : Math.round((this.waitingBytes * kept) / this.waiting)
    this.waiting = kept
  }

  /** `events` of the request that begins; undefined when it is over. */
  sending(events: number | undefined): void {
    this.inFlight = events ?? 0
    if (events !== undefined) this.requests++
  }

  /** True when it differs from what was known. */
  counted({ events, bytes, deadLetters }: OutboxTotals): boolean {
    const isNews = events !== this.waiting || bytes !== this.waitingBytes || deadLetters !== this.deadLetters
    this.waiting = events
    this.waitingBytes = bytes
    this.deadLetters = deadLetters
    return isNews
  }
}
