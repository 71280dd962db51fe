import type { Range, StreamReport } from '../wire/contract.ts'

/** What a stored event survives: nothing, the death of the process, a power cut. */
export type Durability = 'memory' | 'process' | 'power'

/** A run of one stream's events, serialised once. `body` is their JSON joined by commas, without brackets. */
export interface Segment {
  readonly stream: string
  /** The number of the first event; the others follow without a gap. */
  readonly first: number
  readonly count: number
  /** Length of `body` in UTF-8 bytes (an upper estimate is allowed). */
  readonly bytes: number
  readonly body: string
}

/** What a stream's owner knows of it; written with every append, by the owner only. */
export interface StreamHead {
  readonly stream: string
  /** Opaque tag given by the application: a batch never mixes tags, so one account's events never travel under another's token. */
  readonly accountTag: string
  readonly openedAtMs: number
  /** Numbers given out so far: 0 … recorded − 1. */
  readonly recorded: number
  /** Sum of `bytes` of every segment appended so far; a segment that is appended again counts once. */
  readonly bytes: number
  /** Numbers given out whose events were never appended and never will be, by drop reason. */
  readonly dropped?: Readonly<Record<string, number>>
  /** record() calls refused before they got a number, by error code. */
  readonly refused: Readonly<Record<string, number>>
}

/**
 * One group commit: the whole in-memory tail, as one transaction. `segments` may be empty (the head alone changed).
 * `head` is the newest there is, and a stream keeps one accountTag for life. The numbers of a group whose append failed
 * are either appended again with a later group or declared in `head.dropped`. Appending a segment twice is harmless.
 */
export interface AppendGroup {
  readonly head: StreamHead
  readonly segments: readonly Segment[]
  /** True when an event of the group asked to survive a power cut. */
  readonly strict: boolean
}

/** An event the relay will not take as it is, kept for the operator with its reason. */
export interface DeadLetter {
  readonly stream: string
  readonly seq: number
  readonly accountTag: string
  /** The event's JSON, `["meter", at, data]`, exactly as it was recorded. */
  readonly event: string
  readonly code: string
  readonly detail: string
  readonly diedAtMs: number
}

/** Segments to send together, and the report of every stream they (or pending counters) belong to. */
export interface Claim {
  readonly segments: readonly Segment[]
  readonly reports: readonly StreamReport[]
  /** True when more segments wait behind this claim. */
  readonly more: boolean
}

export interface ClaimOptions {
  readonly accountTag: string
  readonly maxBytes: number
  readonly maxEvents: number
  readonly nowMs: number
  /** Hides what is claimed from other claimers until nowMs + leaseMs. 0: no lease is written (a lock guards the outbox). */
  readonly leaseMs: number
}

/** What came of a claim, by stream. Numbers not named stay in the outbox. */
export interface Settlement {
  readonly claim: Claim
  /** Numbers the relay said it holds. */
  readonly received: Readonly<Record<string, readonly Range[]>>
  readonly rejected: readonly { stream: string; seq: number; code: string; detail: string }[]
  /** Numbers that the relay wants later: hidden until nowMs + delayMs. */
  readonly deferred: readonly { stream: string; from: number; to: number; delayMs: number }[]
  readonly nowMs: number
}

/** What a settlement changed. */
export interface Settled {
  readonly received: number
  readonly dead: readonly DeadLetter[]
}

export interface PurgeOptions {
  readonly reason: string
  /** Default: all tags. */
  readonly accountTag?: string
}

/** What waits, hidden events included; dead letters apart. */
export interface OutboxTotals {
  readonly events: number
  readonly bytes: number
  readonly deadLetters: number
}

/** One stream as this outbox knows it; recorded = settled + dropped + dead + still in the outbox. */
export interface StreamSummary extends StreamHead {
  /** Numbers that a relay said it holds. */
  readonly settled: number
  /** Numbers that became dead letters, deleted ones included. */
  readonly dead: number
  /** Given up by the owner (see StreamHead) or by purge(), by drop reason. */
  readonly dropped: Readonly<Record<string, number>>
}

/**
 * Where events wait between record() and the relay's acknowledgement. One contract, many homes
 * (IndexedDB, memory, SQLite, Durable Object); the suite in test/contract/outbox.ts runs against each.
 *
 * Every method is atomic. append() keeps call order. Nothing leaves but through settle(), purge() or
 * deleteDeadLetters().
 */
export interface Outbox {
  /** What a plain append survives in this home. */
  readonly durability: Durability
  /** Stores the group in one transaction and resolves with what it survives, once that is true. */
  append(group: AppendGroup): Promise<Durability>
  /**
   * The oldest segments that are visible, up to the limits but at least one whole segment, oldest stream first, numbers
   * ascending. Undefined when nothing waits: no segment, and no report that the relay has not yet acknowledged.
   * A claim without segments carries reports alone: send them, and settle.
   */
  claim(options: ClaimOptions): Promise<Claim | undefined>
  /**
   * For a claim that the relay answered with 200: deletes what is covered, buries what is rejected, hides what is
   * deferred, keeps the rest visible, and notes the claim's reports as acknowledged. A partly covered segment is split.
   * Numbers outside the claim are ignored; a number named twice is rejected rather than deferred rather than received,
   * so that no contradiction loses it. Idempotent.
   */
  settle(settlement: Settlement): Promise<Settled>
  /** Gives a claim back, visible again at once (after a failed send). */
  release(claim: Claim): Promise<void>
  /**
   * Drops every waiting event, hidden ones too (of one account tag, or of all), counts the loss under `reason` in the
   * streams' reports, and resolves with how many events it was.
   */
  purge(options: PurgeOptions): Promise<number>
  totals(): Promise<OutboxTotals>
  streams(): Promise<StreamSummary[]>
  deadLetters(): Promise<DeadLetter[]>
  /** Forgets these dead letters, after an operator has seen to them; unknown ones are ignored. */
  deleteDeadLetters(letters: readonly Pick<DeadLetter, 'stream' | 'seq'>[]): Promise<void>
  /** A random id of this installation, made once and kept as long as the outbox. */
  deviceId(): Promise<string>
  close(): Promise<void>
}
