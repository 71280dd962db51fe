import type { UsageLine } from '../../test/support/usage-lines.ts'

/** One event of a bench: a real-looking HTTP request with a number of its own, by which a sink knows it again. */
export interface BenchEvent {
  /** ms since 1970. */
  readonly atMs: number
  readonly data: Omit<UsageLine, 'at'> & { readonly n: number }
}

/** Where a subject sends to. */
export interface Place {
  /** Origin of the sink. */
  readonly sink: string
}

/** What is measured: a library set up in a page. */
export interface Subject {
  /** Resolves when the library is ready to record; it may go on loading in the background. */
  start(place: Place): void | Promise<void>
  record(event: BenchEvent): void
  /** Resolves when all that was recorded is stored. Libraries that do not say leave it out. */
  durable?(): Promise<unknown>
}

/** Marks the task that records, in a trace: most of that one is the caller's own loop. */
export const RECORDING_MARK = 'bench-recording'

export interface Recorded {
  /** When the first event was recorded, ms since 1970. */
  readonly startMs: number
  /** Time within the calls. */
  readonly callMs: number
}

/** What the bench calls in the page, as window.bench. */
export interface PageFace {
  /** Makes the events, so that making them is not measured. */
  prepare(first: number, count: number): void
  /** Records all prepared events in one task of the page's own. */
  burst(): Promise<Recorded>
  /** Records all prepared events and closes the tab in the same task. */
  burstAndClose(): void
  /** Records one prepared event after the other, so many a second. */
  steady(perSecond: number): Promise<Recorded>
  /** When all recorded events are durable, ms since 1970; undefined when the subject does not say. */
  durable(): Promise<number | undefined>
  /** IndexedDB transactions since the page was opened, by mode. */
  readonly transactions: Readonly<Record<string, number>>
}

declare global {
  interface Window {
    bench?: PageFace
  }
}
