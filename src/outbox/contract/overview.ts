import type { StreamHead } from './append.ts'

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
