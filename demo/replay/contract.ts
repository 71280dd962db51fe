import type { AgentStats } from '../../src/index.ts'

/** What the replay's page offers to its driver, as `window.replay`. */
export interface ReplayPage {
  /** Records the lines at once; resolves when all that were taken are durable. */
  feed(lines: readonly string[]): Promise<void>
  /** Records one line at a time and calls window.replayHalfway with the receipts that are durable by then. */
  feedOneByOne(lines: readonly string[]): Promise<void>
  look(): Promise<OutboxLook>
  /** What the agent says of itself: who wonders why nothing arrives finds the reason here. */
  stats(): AgentStats
}

/** What the outbox holds, by its own books. */
export interface OutboxLook {
  /** Events of all streams that are, or were, durable here. */
  readonly recorded: number
  /** Of those, events that no relay has confirmed. */
  readonly waiting: number
}

declare global {
  interface Window {
    replay?: ReplayPage
    /** Put there by the driver. */
    replayHalfway?: (durableReceipts: number) => Promise<void>
  }
}
