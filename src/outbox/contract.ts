import type { AppendGroup, Durability, OpenRollup } from './contract/append.ts'
import type { Claim, ClaimOptions, DeadLetter, Settled, Settlement } from './contract/claim.ts'
import type { DropOptions, PurgeOptions } from './contract/drop.ts'
import type { OutboxTotals, Quarantined, StreamSummary } from './contract/overview.ts'
import type { PutAside } from './contract/put-aside.ts'

export type * from './contract/append.ts'
export type * from './contract/claim.ts'
export type * from './contract/drop.ts'
export type * from './contract/overview.ts'
export type * from './contract/put-aside.ts'

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
   * What a page that goes has to put aside beside what is under way: what could not be stored and is held in memory.
   * Synchronous. Undefined, or absent, where nothing is held.
   */
  putAside?(underWay: AppendGroup | undefined): PutAside | undefined
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
