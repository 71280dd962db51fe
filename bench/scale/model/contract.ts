import type { ZuoraEnvironment } from '../../../src/relay/contract.ts'

/** What comes in, and what the upstream and the hardware are. Every name says its unit. */
export interface Load {
  readonly eventsPerS: number
  readonly batchEvents: number
  readonly accounts: number
  readonly meters: number
  /** Starts of agents: page loads, isolates, launches of an application. */
  readonly streamsPerDay: number
  /** One event as it is stored: its time and its data. */
  readonly eventBytes: number
  /** Part of the events that carry an idempotency key, 0 … 1. */
  readonly keyShare: number
  readonly keyWindowDays: number
  readonly tier: ZuoraEnvironment
  /** One row of an upstream call, before compression. */
  readonly rowBytes: number
  /** An upstream call, from its first byte to its answer. */
  readonly callMs: number
  /** Part of a core that is planned with, 0 … 1; the rest is for peaks and for what fails. */
  readonly useOfCore: number
  readonly coresPerDatabase: number
  /** What one database's log and its standby can take for hours. */
  readonly walBytesPerSPerDatabase: number
  /** Streams are kept for good: how many years of them there must be room for. */
  readonly keepYears: number
  /** How long the upstream may be away without an event refused. */
  readonly outageS: number
}

/** A cost that has a part for each request and one for each event in it. */
export interface Line {
  readonly perRequest: number
  readonly perEvent: number
}

/** What the measured points say that one thing costs; times in microseconds of one core. */
export interface Costs {
  readonly sqlite: { readonly acceptUs: Line; readonly forwardUsPerRow: number }
  readonly postgres: {
    readonly acceptUs: Line
    readonly databaseUs: Line
    readonly walBytes: Line
    readonly transactionsPerRequest: number
    readonly forwardUsPerRow: number
    readonly databaseUsPerRow: number
    readonly walBytesPerRow: number
    readonly streamBytes: number
    readonly streamWalBytes: number
    readonly keyBytes: number
    readonly keyWalBytes: number
  }
  readonly edge: { readonly acceptUs: Line; readonly streamBytes: number }
}

/** What one thing may be asked for at most, in events a second at the load's batches, and what to do there. */
export interface Ceiling {
  readonly what: string
  readonly eventsPerS: number
  readonly thenDo: string
}
