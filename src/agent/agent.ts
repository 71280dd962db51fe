import type { Meter, MeterInput } from '../meter/contract.ts'
import type { DeadLetter, StreamSummary } from '../outbox/contract.ts'
import type { PauseReason } from '../schedule/contract.ts'
import type { Receipt } from './receipt.ts'
import type { AgentEvents, AgentStats } from './stats.ts'

/** What record() takes besides the data. */
export interface RecordOptions {
  /** When the usage happened, if not now: a Date, or ms since 1970. */
  readonly at?: Date | number
  /**
   * The caller's own name for this usage, 1 to 200 characters, such as an order's number: of all events of the account
   * with the same key, from any device, the relay takes one.
   */
  readonly idempotencyKey?: string
}

/** What purge() erased. */
export interface PurgeReceipt {
  /** Events that waited; the relay is told how many, under the reason 'purged'. */
  readonly events: number
  /**
   * Events in a request of this agent at that moment, some of `events` as a rule: it cannot be called back, so the relay
   * may have them too. A request of another agent that sends for this one (see `sender` in stats()) is not counted.
   */
  readonly inFlight: number
  /** Dead letters that were forgotten; the relay had seen and refused them. */
  readonly deadLetters: number
  /** Whose events they were, as `account` of createAgent() says. */
  readonly accountTag: string
  /** ms since 1970. */
  readonly atMs: number
}

/** Names one dead letter. */
export type DeadLetterId = Pick<DeadLetter, 'stream' | 'seq'>

/** Records usage and sees that it arrives. Made by createAgent(). */
export interface Agent {
  /**
   * Records one event, synchronously. Never throws for its data: a refused event gives a receipt with `error`
   * (`unknown_meter`, `invalid_data`, `async_schema`, `not_json`, `bad_time`, `bad_idempotency_key`, `event_too_large`,
   * `outbox_full`, `closed`).
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
  /**
   * This agent sends nothing until resume() with the same reason; recording goes on. Other agents of the same outbox and
   * account go on too, and send its events: to stop them all, pause each.
   */
  pause(reason: PauseReason): void
  /** Ends the pause of this reason. Sending goes on, at once, when no other is left. */
  resume(reason: PauseReason): void
  /**
   * Erases all that is kept of this account's events and was not delivered: what waits and what is dead. The number of
   * those that waited is declared to the relay under the reason 'purged'. What is in a request already cannot be called
   * back (`inFlight` of the receipt). Pause with a reason of your own to stop sending as well: before, so that nothing new
   * is under way.
   */
  purge(): Promise<PurgeReceipt>
  /** Cheap and synchronous. */
  stats(): AgentStats
  /** Every stream that the outbox knows, also those of earlier page loads and other tabs. */
  streams(): Promise<StreamSummary[]>
  /** This account's events that the relay would not take, with its reasons. */
  deadLetters(): Promise<DeadLetter[]>
  /** Sends dead letters again, under their old ids; all of them by default. Resolves with how many. */
  retryDeadLetters(letters?: readonly DeadLetterId[]): Promise<number>
  /** Forgets dead letters for good. */
  deleteDeadLetters(letters: readonly DeadLetterId[]): Promise<void>
  /** The dead letters as NDJSON, one a line: `{id, event, code, detail, diedAt}`, times in ISO 8601. */
  exportDeadLetters(): Promise<string>
  /** Listens; returns a function that ends it. A listener that throws disturbs nobody. */
  on<E extends keyof AgentEvents>(event: E, listener: AgentEvents[E]): () => void
  /** Stores what was recorded, tries once more to send it, and lets go of everything. record() is refused from now on. */
  close(): Promise<void>
  /**
   * The same as close(), for `await using usage = createAgent(…)`, where the engine has Symbol.asyncDispose. There is no
   * Symbol.dispose: a plain `using` could not wait until all is stored, and TypeScript says so.
   */
  [Symbol.asyncDispose](): Promise<void>
}
