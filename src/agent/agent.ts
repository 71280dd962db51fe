import type { Meter, MeterInput } from '../meter/contract.ts'
import type { DeadLetter, StreamSummary } from '../outbox/contract.ts'
import type { PauseReason } from '../schedule/contract.ts'
import type { Receipt } from './receipt.ts'
import type { AgentEvents, AgentStats } from './stats.ts'

export interface RecordOptions {
  /** When the usage happened, if not now: a Date, or ms since 1970. */
  readonly at?: Date | number
}

/** Records usage and sees that it arrives. Made by createAgent(). */
export interface Agent {
  /**
   * Records one event, synchronously. Never throws for its data: a refused event gives a receipt with `error`
   * (`unknown_meter`, `invalid_data`, `async_schema`, `not_json`, `bad_time`, `event_too_large`, `closed`).
   *
   * @example
   * const receipt = usage.record(apiCalls, { feature: 'export', quantity: 1 })
   * await receipt.durable // 'process': it survives the death of the browser
   */
  record<M extends Meter>(meter: M, data: MeterInput<M>, options?: RecordOptions): Receipt
  /**
   * Stores and sends what waits, now. Resolves when nothing is left to send or sending has to wait (see stats());
   * a backoff chosen by the agent is cut short, a Retry-After of the relay is not.
   */
  flush(): Promise<void>
  /** Stops sending until resume() with the same reason; recording goes on. */
  pause(reason: PauseReason): void
  resume(reason: PauseReason): void
  /** Drops all that waits for this account, counted and declared under the reason 'purged'; resolves with how many. */
  purge(): Promise<number>
  /** Cheap and synchronous. */
  stats(): AgentStats
  /** Every stream that the outbox knows, also those of earlier page loads and other tabs. */
  streams(): Promise<StreamSummary[]>
  /** Events that the relay would not take, with its reasons. */
  deadLetters(): Promise<DeadLetter[]>
  /** Listens; returns a function that ends it. A listener that throws disturbs nobody. */
  on<E extends keyof AgentEvents>(event: E, listener: AgentEvents[E]): () => void
  /** Stores what was recorded, tries once more to send it, and lets go of everything. record() is refused from now on. */
  close(): Promise<void>
}
