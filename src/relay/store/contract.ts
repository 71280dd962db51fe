import type { AcceptRequest, AcceptResult, HeldEvents, StoredEvent } from './contract/accept.ts'
import type { DeadLetterFilter, ImportFailure, ImportFailureResult, RelayDeadLetter } from './contract/dead-letters.ts'
import type {
  BuildDelivery,
  Delivery,
  LaneBacklog,
  OpenDeliveryOptions,
  ParkedDelivery,
  ParkedVerdict,
} from './contract/deliveries.ts'
import type { HourFilter, HourRow, LedgerRow, LedgerTotals, StreamGaps } from './contract/ledger.ts'
import type { Revocation, RevocationSubject } from './contract/revocations.ts'
import type { CallBucket, CallSource } from './contract/shared-calls.ts'

export type * from './contract/accept.ts'
export type * from './contract/dead-letters.ts'
export type * from './contract/deliveries.ts'
export type * from './contract/ledger.ts'
export type * from './contract/revocations.ts'
export type * from './contract/shared-calls.ts'

/**
 * The relay's one durable place. The suite in test/contract/relay-store.ts runs against every implementation.
 * Every method is one transaction; a promise resolves only after commit and sync.
 */
export interface RelayStore {
  /**
   * De-duplicates by (tenant, account, stream, seq), then by (tenant, account, idempotency key), and stores what is new,
   * in one transaction. A key is known for at least the store's window of days after its event was received, and it
   * stays known whatever becomes of that event.
   */
  accept(request: AcceptRequest): Promise<AcceptResult>
  /**
   * The lane's oldest unsettled delivery that is due and unleased; else cuts a new one from the oldest stored events.
   * At most one delivery of a lane is out at a time unless the store is asked by several owners. A postponed delivery
   * does not keep new ones from being cut: how many may wait is the forwarder's business.
   */
  openDelivery(options: OpenDeliveryOptions, build: BuildDelivery): Promise<Delivery | undefined>
  /** The upstream accepted it: counts its events as forwarded. This and the next three do nothing for a settled id. */
  acceptDelivery(id: string, nowMs: number): Promise<void>
  /**
   * Not settled: keep it and send the same bytes again, not before notBeforeMs. `inDoubt` (default true) says whether
   * the upstream may have taken it this time. A claim that ends by itself always leaves doubt.
   */
  postponeDelivery(id: string, notBeforeMs: number, error: string, inDoubt?: boolean): Promise<void>
  /**
   * Replaces it by two halves, or more when the builder takes less (rows > 1): to find the poison event, or for size.
   * They inherit its doubt; `inDoubt` (default true) as in postponeDelivery.
   */
  splitDelivery(id: string, build: BuildDelivery, inDoubt?: boolean): Promise<void>
  /** Its events become dead letters. */
  buryDelivery(id: string, code: string, detail: string, nowMs: number): Promise<void>
  /** Keeps it and sends it no more until the operator decides. */
  parkDelivery(id: string, reason: string, nowMs: number): Promise<void>
  /** Parked longest first; limit default 100. */
  parkedDeliveries(filter?: { lane?: string; limit?: number }): Promise<ParkedDelivery[]>
  /** The operator's decision; false when no such delivery is parked. */
  resolveParked(id: string, verdict: ParkedVerdict, nowMs: number): Promise<boolean>
  /** The lane's forwarding stops, for all processes and after restarts too, until resumeLane(). */
  pauseLane(lane: string, reason: string, nowMs: number): Promise<void>
  /** False when it was not paused. */
  resumeLane(lane: string): Promise<boolean>
  /** What waits, by lane: a lane is a meter's, or that of its late events. */
  backlog(): Promise<LaneBacklog[]>
  /**
   * The oldest events of another account than this one that wait in the lane, not yet put into a delivery: those of one
   * request.
   */
  waitingOfOthers(lane: string, account: { tenant: string; account: string }): Promise<StoredEvent[]>
  /** What is on hold, by account and meter; limit default 1,000. */
  heldEvents(filter?: { account?: string; limit?: number }): Promise<HeldEvents[]>
  /** Puts an account's events on hold into their lanes, in the order in which they came; how many they were. */
  releaseHeld(owner: { tenant: string; account: string }): Promise<number>
  /** Newest streams first; limit default 1,000. */
  ledger(filter?: { account?: string; stream?: string; limit?: number }): Promise<LedgerRow[]>
  /** The sums of the ledger. */
  totals(): Promise<LedgerTotals>
  /** By account, meter and hour, for a bounded time (in SQLite 100 days unless told otherwise). */
  ledgerByHour(filter?: HourFilter): Promise<HourRow[]>
  /** Newest first; limit default 100. */
  deadLetters(filter?: DeadLetterFilter): Promise<RelayDeadLetter[]>
  /** Replaces a dead letter's data, JSON text; false when there is no such letter. Its event id stays. */
  editDeadLetter(id: number, data: string): Promise<boolean>
  /**
   * Puts dead letters back into their lanes, under the same event ids: those named, or the newest of a filter (limit
   * default 100). Left out are those that are there no more or must be edited first.
   */
  replayDeadLetters(selection: readonly number[] | DeadLetterFilter): Promise<RelayDeadLetter[]>
  /** Deletes dead letters: the ledger counts them as discarded. How many they were. */
  deleteDeadLetters(ids: readonly number[]): Promise<number>
  /** An event counted as forwarded becomes a dead letter, once for each mark. */
  buryForwarded(failure: ImportFailure, nowMs: number): Promise<ImportFailureResult>
  /** A note that a part of the relay keeps for itself, such as how far the reconciler has read. */
  note(name: string): Promise<string | undefined>
  /** Writes a note; see note(). */
  setNote(name: string, value: string): Promise<void>
  /** Streams with missing numbers, the one seen last first. */
  gaps(filter?: { account?: string; stream?: string; limit?: number }): Promise<StreamGaps[]>
  /** Uses up a nonce; false when it was used before. Nonces may be forgotten after expiresAtMs. */
  useNonce(nonce: string, expiresAtMs: number, nowMs: number): Promise<boolean>
  /** A private value made once and kept, such as the signing key: the stored one, or `create()` if none was. */
  secret(name: string, create: () => Promise<string>): Promise<string>
  /** Replaces a private value if it is still `before`; false when it is not: another process was first. */
  swapSecret(name: string, before: string, after: string): Promise<boolean>
  /** Revokes what was issued before a time; an earlier time than the one that stands changes nothing. */
  revoke(revocation: Revocation): Promise<void>
  /** The later of the times that stand for the account and for the device, ms since 1970; 0 when there is none. Cheap: asked at each request. */
  revokedBefore(subject: RevocationSubject): Promise<number>
  /** All that stand, the latest first. */
  revocations(): Promise<Revocation[]>
  /** Where several relays share the store: the calls to an upstream are one budget for all of them. */
  readonly sharedCalls?: (buckets: readonly CallBucket[]) => CallSource
  /** Throws when the store cannot write now. */
  check(): Promise<void>
  /**
   * Copies the store, whole and consistent, while it works on. The copy holds all secrets: it is readable by its owner
   * only. Errors: MetertapError bad_option when the path is taken or cannot be written.
   */
  backup(path: string): Promise<void>
  /** Lets go of the store; everything acknowledged is in it. */
  close(): Promise<void>
}
