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
  /** Made of all the above by sealOf(), where the body is known to be right: it need not be parsed to be trusted. */
  readonly seal?: number
}

/** What a stream's owner knows of it; written with every append, by the owner only. */
export interface StreamHead {
  /** The stream: a lower-case UUID, made when an agent first records. */
  readonly stream: string
  /** Opaque tag given by the application: a batch never mixes tags, so one account's events never travel under another's token. */
  readonly accountTag: string
  /** When the stream began, ms since 1970. */
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
  /** The stream as it is after this group. */
  readonly head: StreamHead
  /** Runs of events to store. */
  readonly segments: readonly Segment[]
  /** True when an event of the group asked to survive a power cut. */
  readonly strict: boolean
  /** Running sums as they are now; each replaces its number's earlier one. */
  readonly rollups?: readonly Rollup[]
  /** Numbers of this stream whose roll-up is over: their events are among `segments`. */
  readonly closed?: readonly number[]
  /** When given: the group's segments that no claim may give yet. Its others become visible, whatever they were. */
  readonly hidden?: readonly Hidden[]
}

/** A segment that is leased or deferred. */
export interface Hidden {
  readonly stream: string
  readonly first: number
  readonly count: number
  readonly hiddenAtMs: number
  readonly visibleAtMs: number
}

/**
 * The running sum of one aggregation window. Its number was given out when the window opened, so it counts as waiting;
 * it is never sent before its window is closed: by its owner with `AppendGroup.closed`, or, when the owner is gone, by
 * closeRollups().
 */
export interface Rollup {
  readonly stream: string
  readonly seq: number
  readonly accountTag: string
  /** JSON of the event as of now, `["meter", at, data]`. */
  readonly event: string
  /** When the window ends, ms since 1970. */
  readonly closesAtMs: number
}

/** An event the relay will not take as it is, kept for the operator with its reason. */
export interface DeadLetter {
  /** The event's stream; with `seq` it is the event's id, `<stream>-<seq>`. */
  readonly stream: string
  /** The event's number in its stream. */
  readonly seq: number
  /** Whose event it is. */
  readonly accountTag: string
  /** The event's JSON, `["meter", at, data]`, exactly as it was recorded. */
  readonly event: string
  /** The relay's reason; docs/errors.md lists them. */
  readonly code: string
  /** The reason in words, such as which field does not fit. */
  readonly detail: string
  /** When the relay refused it, ms since 1970. */
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
  /** True to parse every text, whatever its seal says: after a relay found fault with it. Default false. */
  readonly verify?: boolean
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

/** A roll-up without its text. */
export type OpenRollup = Pick<Rollup, 'stream' | 'seq' | 'closesAtMs'>

export interface DropOptions extends PurgeOptions {
  /** How much to free; whole segments go, so it may become more. */
  readonly bytes: number
  readonly nowMs: number
}

/** A row that is not what this outbox writes: set aside as it was found, never sent. */
export interface Quarantined {
  /** Where it was found. */
  readonly store: 'segments' | 'streams' | 'progress' | 'hidden' | 'rollups'
  /**
   * What is wrong: its fields, its text (no JSON, no events, or not as many as it says), or that no head tells whose
   * account it belongs to.
   */
  readonly reason: 'fields' | 'not_json' | 'not_events' | 'count' | 'no_head'
  readonly row: unknown
  readonly foundAtMs: number
}

/** What waits, hidden events included; dead letters apart. */
export interface OutboxTotals {
  /** Events that wait. */
  readonly events: number
  /** Bytes of their JSON. */
  readonly bytes: number
  /** Events that the relay would not take. */
  readonly deadLetters: number
}

/**
 * One stream as this outbox knows it; recorded = settled + dropped + dead + still in the outbox, open roll-ups included.
 */
export interface StreamSummary extends StreamHead {
  /** Numbers that a relay said it holds. */
  readonly settled: number
  /** Numbers that became dead letters, deleted ones included, retried ones not. */
  readonly dead: number
  /** Given up by the owner (see StreamHead), by purge() or dropOldest(), or found damaged ('corrupt'), by drop reason. */
  readonly dropped: Readonly<Record<string, number>>
}

/**
 * What an agent that records needs of an outbox; whoever holds the outbox may be somebody else, and sends it. All that
 * goes in and comes out is plain data, so that it can cross to another process.
 */
export interface RecordingOutbox {
  /** What a plain append survives in this home. */
  readonly durability: Durability
  /** Stores the group in one transaction and resolves with what it survives, once that is true. */
  append(group: AppendGroup): Promise<Durability>
  /**
   * Drops every waiting event, hidden ones and open roll-ups too (of one account tag, or of all), counts the loss under
   * `reason` in the streams' reports, and resolves with how many events it was. A number that was purged is gone: the
   * owner of an open roll-up takes a new number.
   */
  purge(options: PurgeOptions): Promise<number>
  /**
   * Makes room: drops the oldest whole segments, oldest stream first, until at least `bytes` are freed, and counts as
   * purge() does. Leased and deferred segments stay, and so do open roll-ups.
   */
  dropOldest(options: DropOptions): Promise<number>
  totals(): Promise<OutboxTotals>
  streams(): Promise<StreamSummary[]>
  deadLetters(): Promise<DeadLetter[]>
  /** Forgets these dead letters, after an operator has seen to them; unknown ones are ignored. */
  deleteDeadLetters(letters: readonly Pick<DeadLetter, 'stream' | 'seq'>[]): Promise<void>
  /**
   * Moves dead letters back among the waiting events, under their old numbers, as when the relay has learnt a meter
   * since. Unknown ones are ignored. Resolves with how many moved.
   */
  retryDeadLetters(letters: readonly Pick<DeadLetter, 'stream' | 'seq'>[]): Promise<number>
  close(): Promise<void>
}

/** What became of an account's events, as its sender tells those who record. */
export interface SenderNews {
  /** Events that a relay said it holds. */
  readonly received: number
  readonly dead: readonly { readonly id: string; readonly code: string; readonly detail: string }[]
  /** The newest. */
  readonly trouble?: { readonly code: string; readonly detail: string } | undefined
}

/** An outbox that somebody else holds and sends: a Durable Object, Electron's main process. */
export interface RemoteOutbox extends RecordingOutbox {
  /** Sends what waits of this account tag, now; resolves when nothing is left to send or sending has to wait. */
  flush(accountTag: string): Promise<void>
  /** Stops, or goes on with, the sending of this account tag, for all who record into this outbox. */
  pause(accountTag: string, reason: string): Promise<void>
  resume(accountTag: string, reason: string): Promise<void>
  /** Where the holder tells its news: resolves when there is some since the last call. Rejects when there will be none. */
  readonly news?: () => Promise<SenderNews>
}

/**
 * Where events wait between record() and the relay's acknowledgement. One contract, many homes
 * (IndexedDB, memory, SQLite, Durable Object); the suite in test/contract/outbox.ts runs against each.
 *
 * Every method is atomic. append() keeps call order. Nothing leaves but through settle(), purge(), dropOldest() or
 * deleteDeadLetters(). A damaged row is set aside by the claim that meets it (see quarantined()); its neighbours are
 * delivered.
 */
export interface Outbox extends RecordingOutbox {
  /**
   * Stores what a page had not seen stored when it went: the part of the group that the outbox does not know yet, in one
   * transaction, whoever stored the rest, and whether or not it has left since. Resolves with how many events it was.
   * Rejects with code 'internal' what is no group of one stream and account.
   */
  restore(group: AppendGroup): Promise<number>
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
   * so that no contradiction loses it. A dead letter that a relay says it holds, in answer to a second claim of the same
   * event, is none any more: it counts as received. Idempotent.
   */
  settle(settlement: Settlement): Promise<Settled>
  /** Gives a claim back, visible again at once (after a failed send). */
  release(claim: Claim): Promise<void>
  /**
   * Makes one-event segments of all roll-ups of these streams, whose owners are gone, and resolves with how many. An
   * owner that lives after all must not go on with those numbers: a relay may hold their events already.
   */
  closeRollups(options: { readonly streams: readonly string[] }): Promise<number>
  /** The roll-ups whose windows have not been closed, of all streams and tags. */
  openRollups(): Promise<OpenRollup[]>
  /** What claims have set aside as damaged. */
  quarantined(): Promise<Quarantined[]>
  /** A random id of this installation, made once and kept as long as the outbox. */
  deviceId(): Promise<string>
}
