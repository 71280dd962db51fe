import type { BucketName } from '../limits/rate-limits.ts'

/** What became of the events of one accepted batch. */
export interface BatchOutcome {
  readonly stored: number
  readonly duplicates: number
  readonly deferred: number
  readonly rejectedByCode: ReadonlyMap<string, number>
}

/** Where the relay's parts report what they do. No label comes from a client. */
export interface Instruments {
  /** `route` is a pattern such as /v1/events, or 'none'. */
  request(method: string, route: string, status: number, durationMs: number): void
  /** A whole request was refused, with this problem code. */
  refused(code: string): void
  /** A rate limit refused a request. */
  limited(bucket: BucketName): void
  /** A token was issued for a proof of this kind. */
  issued(proof: 'grant' | 'session'): void
  body(wireBytes: number, bodyBytes: number): void
  batch(outcome: BatchOutcome): void
  commit(durationMs: number): void
}
