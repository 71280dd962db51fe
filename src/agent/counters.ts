import type { FlushReason } from '../schedule/contract.ts'
import type { AgentStats } from './stats.ts'

/** What the agent counts while it runs; stats() is a view of it. What only a sender does to them is in counting.ts. */
export class Counters {
  waiting = 0
  waitingBytes = 0
  deadLetters = 0
  inFlight = 0
  accepted = 0
  requests = 0
  lastTrouble: AgentStats['lastTrouble']
  readonly flushes: Partial<Record<FlushReason, number>> = {}

  appended(events: number, bytes: number): void {
    this.waiting += events
    this.waitingBytes += bytes
  }
}
