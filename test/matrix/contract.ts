import type { Engine } from '../support/engines.ts'

/** When the fault strikes, seen from record(). */
export const MOMENTS = ['before durable', 'after durable', 'in flight'] as const
export type Moment = (typeof MOMENTS)[number]

/** One cell of the matrix. Events are counted by their ids: what the page was given against what the relay stored. */
export interface CellResult {
  readonly engine: Engine
  readonly scenario: string
  readonly moment: Moment
  readonly outcome: 'passed' | 'failed' | 'skipped'
  /** record() calls that gave an id. */
  readonly recorded: number
  /** Acknowledged by their receipt with more than 'memory', or found in the outbox by the next visit. */
  readonly durable: number
  /** Receipts that said no. */
  readonly refused: number
  /** Distinct events in the relay. */
  readonly received: number
  /** Neither received nor refused. */
  readonly lost: number
  /** Durable and not received: fails the suite. */
  readonly lostDurable: number
  /** Stored by the relay more than once: fails the suite. */
  readonly doubled: number
  /** Arrived again and were removed by the relay. */
  readonly resent: number
  /** Requests with events that reached the proxy. */
  readonly requests: number
  readonly durationMs: number
  /** Why it failed or was skipped, and what else one should know. */
  readonly notes: readonly string[]
}

/** What a page did with the events of a call, by receipt. */
export interface ReceiptReport {
  /** Ids by what they survive. */
  readonly durable: Readonly<Record<string, readonly string[]>>
  /** Ids whose receipt rejected, by error code. */
  readonly failed: Readonly<Record<string, readonly string[]>>
  /** Calls that got no id, by error code. */
  readonly refused: Readonly<Record<string, number>>
}

/** A run of events in the page's outbox: stream, first number, how many. */
export type HeldRun = readonly [stream: string, first: number, count: number]

export interface StartOptions {
  readonly account: string
  readonly outbox: string
  readonly relay: string
  readonly flushIntervalMs?: number
  readonly requestTimeoutMs?: number
  /** navigator.onLine says false until `goOnline` is called. */
  readonly offline?: boolean
  /** Records this many in the task that makes the agent. */
  readonly record?: RecordOrder
}

export interface RecordOrder {
  readonly count: number
  /** Characters of padding in each event. Default 40. */
  readonly padChars?: number
}

/** What the page does in the task that recorded, after it has told the ids to the server. */
export type Blow =
  /** Dies while it tells: the server kills it. */
  | { readonly kind: 'killed' }
  | { readonly kind: 'close' }
  | { readonly kind: 'navigate'; readonly url: string }
  | { readonly kind: 'upgrade' }
  | { readonly kind: 'flush' }

/** What the server may ask of a page. */
export interface PageCommands {
  openTab(url: string): void
  start(options: StartOptions): readonly string[]
  record(order: RecordOrder): readonly string[]
  /** Half of the events have had their append issued when the blow comes, the others have not. */
  recordAndStrike(order: RecordOrder & { readonly blow: Blow }): void
  receipts(): ReceiptReport
  flush(): void
  goOnline(): void
  /** Reads the outbox's own tables, not through the agent. */
  held(outbox: string): readonly HeldRun[]
  /** Events that are not yet delivered: held, in memory, or being stored. */
  waiting(): number
  requests(): number
  trouble(): string | undefined
  /** Another connection asks for a newer version of the database, and gives up. */
  upgrade(): void
  /** Fills the origin's storage up to its quota; gives how many bytes it took. */
  fillStorage(): number
  /** Deletes what filled it; true once there is room again. */
  freeStorage(): boolean
  leave(blow: Blow & { readonly kind: 'close' | 'navigate' }): void
  /** Opens tabs of the same origin that listen to this page; resolves when all of them are ready. */
  openCrowd(tabs: { readonly urls: readonly string[] }): void
  /** Asks the same of every tab of the crowd at once; their answers in order. */
  crowd(ask: {
    readonly name: CrowdCommand
    readonly args: unknown
    readonly only?: readonly number[]
  }): readonly unknown[]
}

export type CrowdCommand = 'start' | 'record' | 'receipts' | 'flush' | 'recordAndStrike' | 'leave' | 'leads'
