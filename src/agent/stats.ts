import type { Durability } from '../outbox/contract.ts'
import type { FlushReason, PauseReason } from '../schedule/contract.ts'

/** A snapshot; counts are this agent's own unless said otherwise. */
export interface AgentStats {
  /** This agent's stream; undefined until the first record(). */
  readonly stream: string | undefined
  /** Events that got a number. */
  readonly recorded: number
  /** record() calls refused, by error code. */
  readonly refused: Readonly<Record<string, number>>
  /** Recorded, not yet stored. */
  readonly storing: number
  /** In the outbox, of all agents that share it, as of the last look (every append and settlement of this agent). */
  readonly waiting: number
  /** Bytes of their JSON. */
  readonly waitingBytes: number
  /** Events that the relay would not take, of all agents that share the outbox. */
  readonly deadLetters: number
  /** In the request under way. */
  readonly inFlight: number
  /** Events the relay said it holds, settled by this agent (as the sender, also those of other agents). */
  readonly accepted: number
  /** Batches sent, each repetition counted, but neither the one after a token's renewal nor exit requests. */
  readonly requests: number
  /** Flushes by reason. */
  readonly flushes: Readonly<Partial<Record<FlushReason, number>>>
  /** Why nothing is sent, the application's reasons and the agent's; empty when nothing stands against it. */
  readonly pausedBy: readonly PauseReason[]
  /** True when this agent is the one that sends. */
  readonly sender: boolean
  /** What a plain event survives here; undefined until the outbox is open. */
  readonly durability: Durability | undefined
  /** What went wrong last, and when (`atMs`, ms since 1970). It stays when it is over. Undefined: nothing has. */
  readonly lastTrouble: { readonly code: string; readonly detail: string; readonly atMs: number } | undefined
  /** Aggregation windows that are open: each will become one event. */
  readonly openWindows: number
  /** When the next retry is planned, ms since 1970. */
  readonly nextTryAtMs: number | undefined
}

/** What usage.on() can listen to. */
export interface AgentEvents {
  /** A record() was refused. */
  refused: (event: { readonly code: string; readonly message: string; readonly meter: string }) => void
  /** A group is stored. */
  stored: (event: { readonly events: number; readonly durability: Durability }) => void
  /** The relay answered; `received` events left the outbox. */
  settled: (event: { readonly received: number }) => void
  /** What waits and what is dead was counted anew, as after a settlement, and stats() has other numbers than before. */
  counted: (event: Record<string, never>) => void
  /** The relay will not take an event; it is kept with its reason. */
  deadletter: (event: { readonly id: string; readonly code: string; readonly detail: string }) => void
  /** A request failed (it is tried again) or events could not be stored. */
  trouble: (event: { readonly code: string; readonly detail: string }) => void
  /** The reasons for not sending have changed; none: sending goes on. */
  paused: (event: { readonly reasons: readonly PauseReason[] }) => void
  /** The outbox lost a home: events are kept in memory only. */
  degraded: (event: { readonly code: string; readonly detail: string }) => void
  /** What was kept in memory only is stored again. */
  recovered: (event: Record<string, never>) => void
  /** Events were given up, counted and declared to the relay under this reason. */
  dropped: (event: { readonly events: number; readonly reason: string }) => void
}
