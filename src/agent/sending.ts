import type { RecordingOutbox, Segment, StreamHead } from '../outbox/contract.ts'
import type { Runtime } from '../runtime/contract.ts'
import type { FlushReason, PauseReason } from '../schedule/contract.ts'
import type { Counters } from './counters.ts'
import type { Emit } from './outcomes.ts'

/** What a recording agent gives to whoever sees that its events leave. */
export interface SendingOptions {
  readonly runtime: Runtime
  readonly counters: Counters
  /** This agent's own stream, for the exit path. */
  readonly head: () => StreamHead
  readonly emit: Emit
  /** The page may be gone soon: stores what is in memory. `isFinal`: it is being put aside. Resolves when it is stored. */
  readonly onAway: (isFinal: boolean) => Promise<void>
  /** The page is used again. */
  readonly onBack: () => void
  /** See DeadLetters.purges; undefined before there is any. */
  readonly purges: () => number | undefined
  /** Another agent has erased what waits. */
  readonly onPurged: () => void
}

/** Sees that the outbox is sent: the agent's own sender, or a word to whoever holds a remote outbox. */
export interface Sending<O extends RecordingOutbox> {
  readonly pausedBy: readonly PauseReason[]
  /** True when this agent is the one that sends. */
  readonly leads: boolean
  readonly nextTryAtMs: number | undefined
  /** The outbox is open: take part in sending it. */
  start(outbox: O): Promise<void>
  /** A group was stored: count it, and see that it gets sent in time. */
  stored(segments: readonly Segment[], moreEvents: number): void
  /** Sends now, or asks whoever sends. */
  flush(reason: FlushReason): Promise<void>
  /** Whether the outbox holds events that only this agent sees, since they could not be stored. */
  setAlone(isAlone: boolean): void
  pause(reason: PauseReason): void
  resume(reason: PauseReason): void
  /** What waited is gone, for all agents of the outbox. */
  purged(): void
  /** As purged(), but for what this agent alone gave up. */
  dropped(): void
  /** The outbox was changed from outside: count anew, and send what there is to send. */
  changed(): void
  recount(): Promise<void>
  close(): void
}
