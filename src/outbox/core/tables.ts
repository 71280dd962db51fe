import type { Range, StreamReport } from '../../wire/contract.ts'
import type { DeadLetter, Hidden, Quarantined, Rollup, Segment, StreamHead } from '../contract.ts'

/** What became of a stream's numbers after they were appended. Its owner writes heads; only settle() and purge() write this. */
export interface Progress {
  readonly stream: string
  readonly settled: number
  readonly dead: number
  /** Dropped by purge(), by reason; the owner's own drops are in the head. */
  readonly dropped: Readonly<Record<string, number>>
  /** Every number that has left, however it did. It makes counting idempotent: a number leaves once. */
  readonly gone: readonly Range[]
  readonly goneBytes: number
  /** The newest report that a relay acknowledged. */
  readonly reported?: StreamReport
  readonly changedAtMs: number
}

/** Segments are ordered by stream, then by first number. */
export type SegmentKey = [stream: string, first: number]

/** The stores whose rows can turn out to be damaged. */
export type RowStore = Quarantined['store']

/**
 * The rows of an outbox inside one transaction. Claim, settle, purge and the overviews are written once, over this;
 * each home brings its own rows. Rows come as they are stored: who relies on one checks it first (sound-rows.ts).
 * Reads see earlier writes. A failed write fails the whole transaction.
 */
export interface Tables {
  heads(): Promise<StreamHead[]>
  progress(): Promise<Progress[]>
  hidden(): Promise<Hidden[]>
  deadCount(): Promise<number>
  /**
   * Segments of wanted streams in key order, read as they are asked for, from the key `from` on (default: the first) and before
   * the key `before` (default: to the last). Rows whose key is none of a segment come too. `isIntact`: whether no number of
   * a segment has left, so that a copy in memory is as good as its row; without it, rows are read.
   */
  segments(
    from: SegmentKey | undefined,
    before: SegmentKey | undefined,
    wanted: (stream: string) => boolean,
    isIntact?: (segment: Segment) => boolean,
  ): AsyncIterable<Segment>
  /** The segments of one stream whose first number lies in [from, to], ascending. */
  segmentsWithin(stream: string, from: number, to: number): Promise<Segment[]>
  putSegment(segment: Segment): void
  /** Deletes the segments whose first number lies in [from, to]. */
  deleteSegments(stream: string, from: number, to: number): void
  /** Rows of their own, so that a lease never rewrites a segment's body. */
  putHidden(hidden: Hidden): void
  deleteHidden(stream: string, from: number, to: number): void
  putHead(head: StreamHead): void
  putProgress(progress: Progress): void
  dead(stream: string, seq: number): Promise<DeadLetter | undefined>
  putDead(letter: DeadLetter): void
  deleteDead(stream: string, seq: number): void
  rollups(): Promise<Rollup[]>
  putRollup(rollup: Rollup): void
  deleteRollup(stream: string, seq: number): void
  /** The row that is stored where this one was found. */
  sameRow(store: RowStore, row: unknown): Promise<unknown>
  /** Moves a row, as it is, to where nothing is sent from. */
  quarantine(quarantined: Quarantined): void
  /** Forgets the head and the progress of a stream. */
  deleteStream(stream: string): void
}

export function byStream<Row extends { readonly stream: string }>(rows: readonly Row[]): Map<string, Row> {
  return new Map(rows.map((row) => [row.stream, row]))
}
