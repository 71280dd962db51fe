import type { Gzip } from '../wire/gzip.ts'

/** Moments in a page's (or process's) life that the agent reacts to. */
export type LifecycleEvent =
  | 'visible'
  | 'hidden'
  | 'pagehide'
  | 'pageshow'
  | 'freeze'
  | 'resume'
  | 'online'
  | 'offline'
  /** A prerendered page is shown for the first time. */
  | 'activated'
  /** A process may be about to end: what is in memory is stored now, open windows too. It may also go on. */
  | 'ending'

/** fetchLater() where the browser has it: sends after the page is gone, even if it crashed. */
export type FetchLater = (url: string, init: RequestInit) => unknown

/** A message between the agents that share one outbox. */
export interface PeerMessage {
  /**
   * To the sender: 'flush', something waits; 'flush-now', somebody waits for it. From the sender: 'alive', it heard;
   * 'settled', the relay answered; 'idle', a 'flush-now' is over; 'lead', it has just become the sender. From anyone:
   * 'purged', what waited was erased.
   */
  readonly kind: 'flush' | 'flush-now' | 'alive' | 'settled' | 'idle' | 'lead' | 'purged'
  /** Of a 'flush-now' and of its 'idle': who asked, and which time. */
  readonly of?: string
}

/** Everything the agent takes from the outside: clock, randomness, network, life cycle, peers. */
export interface Runtime {
  /** Wall clock, ms since 1970 UTC. */
  now(): number
  /** A clock that is never set back, ms since an arbitrary moment. */
  monotonic(): number
  /** Uniform in [0, 1). */
  random(): number
  /** A UUIDv7, for a new stream or installation. */
  newStreamId(): string
  setTimer(callback: () => void, delayMs: number): () => void
  /** Runs the callback after the current task's synchronous part, before the task's end. */
  queueMicrotask(callback: () => void): void
  fetch: typeof globalThis.fetch
  fetchLater: FetchLater | undefined
  /** gzip of a text, or undefined where the runtime has no CompressionStream. */
  gzip: Gzip | undefined
  indexedDB: IDBFactory | undefined
  /** localStorage, where the page has and may use it. */
  storage: Storage | undefined
  utf8Length(text: string): number
  online(): boolean
  /** True while the page is rendered in advance and nobody has seen it. */
  prerendering(): boolean
  /** Subscribes to life-cycle events; returns the unsubscriber. */
  onLifecycle(listener: (event: LifecycleEvent) => void): () => void
  /** Web Locks, where they exist: they elect the one sender of a shared outbox. */
  locks: LockManager | undefined
  /** Where a group travels as a message: how long it may be, about, before it is written and another begun. Default: any. */
  maxGroupBytes?: number | undefined
  /** A channel to the other agents of the same outbox, where there is one. */
  openChannel(name: string, onMessage: (message: PeerMessage) => void): PeerChannel | undefined
  /** Reports a listener's own exception the way the runtime reports uncaught errors, without interrupting the agent. */
  reportError(error: unknown): void
}

export interface PeerChannel {
  post(message: PeerMessage): void
  close(): void
}
