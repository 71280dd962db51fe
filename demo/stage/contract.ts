/** What the stage's controls and the demo's process say to each other. */

/** One stream of this browser's outbox. */
export interface OutboxStream {
  readonly id: string
  readonly recorded: number
  /** Numbers that the relay said it holds. */
  readonly settled: number
  /** Numbers that the relay would not take. */
  readonly dead: number
  /** Numbers that were given up, for whatever reason. */
  readonly dropped: number
}

/** Where the events of this browser are. Everything in it is events, not what they count. */
export interface Verdict {
  readonly recorded: number
  /** Billable in Zuora's stand-in, looked up one by one by their ids. */
  readonly billed: number
  /** In the browser's outbox. */
  readonly waitingHere: number
  /** Acknowledged by the relay, not billed yet. */
  readonly waitingRelay: number
  /** Refused by the relay or by Zuora: kept as dead letters. */
  readonly dead: number
  readonly dropped: number
  /** Billable rows of Zuora's whose event was billable before, of everybody. */
  readonly doubled: number
  /** Let go of by one holder, and not held by the next. Undefined: the relay cannot be asked now. */
  readonly missing: number | undefined
}

/** How Zuora's stand-in behaves. */
export const MOODS = ['well', 'errors', 'answers-lost', 'refuses-webp'] as const
export type Mood = (typeof MOODS)[number]

/** `POST /stage/look`, with this browser's OutboxStream[]. */
export interface StageLook {
  readonly verdict: Verdict
  readonly isCut: boolean
  readonly relay: {
    /** Undefined: it is dead. */
    readonly pid: number | undefined
    readonly nextStartAtMs: number | undefined
  }
  readonly mood: Mood
  readonly console: { readonly url: string; readonly key: string }
}
