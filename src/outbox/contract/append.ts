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

/** A roll-up without its text. */
export type OpenRollup = Pick<Rollup, 'stream' | 'seq' | 'closesAtMs'>
