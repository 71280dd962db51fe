import type { Range, StreamReport, WireClock } from '../../wire/contract.ts'

/** One event that passed every check and may be stored. */
export interface AcceptableEvent {
  readonly stream: string
  readonly seq: number
  readonly meter: string
  readonly atMs: number
  /** The event's data as JSON text: the schema's output. */
  readonly data: string
  /** The caller's own key, 1–200 characters: of an account's events with one key, one is billed. */
  readonly idempotencyKey?: string
}

/** One request's events after validation. Tenant, account and device come from the verified token. */
export interface AcceptRequest {
  readonly tenant: string
  readonly account: string
  readonly device: string
  readonly receivedAtMs: number
  readonly streams: readonly StreamReport[]
  readonly events: readonly AcceptableEvent[]
  /** Events refused by validation: only counted, once per number. */
  readonly refused: readonly { stream: string; seq: number }[]
  /** The sender's clock, kept with each stream of the request; the newest stays. */
  readonly clock?: WireClock
}

export interface AcceptResult {
  /** What the store durably holds now, for each stream of the request. */
  readonly received: Readonly<Record<string, readonly Range[]>>
  readonly stored: number
  readonly duplicates: number
  /** Events only the store can refuse: `too_many_gaps` when a stream's range list would pass its cap. */
  readonly rejected: readonly { stream: string; seq: number; code: string; detail: string }[]
}

/** A stored event on its way upstream. */
export interface StoredEvent extends AcceptableEvent {
  readonly tenant: string
  readonly account: string
  readonly device: string
  readonly receivedAtMs: number
}

/** What the builder makes of a prefix of the offered events: one upstream call's body. */
export interface DeliveryDraft {
  /** How many of the offered events this draft uses up, bodies and buried ones together (≥ 1). */
  readonly taken: number
  /** gzip of the JSON array; kept until the call is settled, so that a retry is byte-identical. Empty when rows is 0. */
  readonly body: Uint8Array
  readonly rows: number
  /** Uncompressed bytes. */
  readonly bytes: number
  /** Offered events (by index) that cannot be mapped: they become dead letters at once. */
  readonly unmappable: readonly { index: number; code: string; detail: string }[]
}

export type BuildDelivery = (events: readonly StoredEvent[]) => DeliveryDraft

/** One upstream call, written before it is made. */
export interface Delivery {
  /** UUID; travels as Zuora-Track-Id. */
  readonly id: string
  readonly lane: string
  readonly body: Uint8Array
  readonly rows: number
  readonly bytes: number
  /** How often it was claimed before. */
  readonly attempts: number
}

export interface OpenDeliveryOptions {
  readonly lane: string
  /** Who claims it; a claim ends by itself at nowMs + leaseMs. */
  readonly owner: string
  readonly leaseMs: number
  readonly nowMs: number
  /** At most this many stored events are offered to the builder; fewer when they are large (8 Mi characters of data). */
  readonly maxEvents: number
}

/** An event that the upstream (or the mapping) refused, kept for the operator. */
export interface RelayDeadLetter extends StoredEvent {
  readonly id: number
  readonly code: string
  readonly detail: string
  readonly diedAtMs: number
}

/** Newest first; default 100. `before` and `id` are ids of letters. */
export interface DeadLetterFilter {
  readonly id?: number
  readonly meter?: string
  readonly account?: string
  readonly before?: number
  readonly limit?: number
}

/** A stream whose numbers are not all accounted for. */
export interface StreamGaps {
  readonly tenant: string
  readonly account: string
  readonly device: string
  readonly stream: string
  readonly missing: number
  /** Declared dropped: their numbers are not known, so they are among `open`. */
  readonly declared: number
  /** Numbers neither received nor refused; the first 100 ranges. */
  readonly open: readonly Range[]
  readonly lastSeenMs: number
}

/** One stream in the ledger. missing = recorded − received − declared − rejected (what is still on the device counts as missing until it arrives). */
export interface LedgerRow {
  readonly tenant: string
  readonly account: string
  readonly device: string
  readonly stream: string
  readonly recorded: number
  readonly received: number
  /** Declared dropped by the agent, by reason; what was declared and arrived after all is received, not declared. */
  readonly declared: Readonly<Record<string, number>>
  /** record() calls the agent refused before numbering, by code; outside `recorded`. */
  readonly refused: Readonly<Record<string, number>>
  /** Numbers this relay refused (distinct, and not received later), `too_many_gaps` included. */
  readonly rejected: number
  readonly forwarded: number
  /** Received, then refused upstream: in the relay's dead letters. */
  readonly dead: number
  readonly missing: number
  /** What the sender last said of its clock. */
  readonly clock?: WireClock
  readonly firstSeenMs: number
  readonly lastSeenMs: number
}

export interface LedgerTotals {
  readonly streams: number
  readonly recorded: number
  readonly received: number
  readonly declared: number
  readonly rejected: number
  readonly forwarded: number
  readonly dead: number
  readonly missing: number
}

export interface LaneBacklog {
  readonly lane: string
  /** Events stored and not yet put into a delivery. */
  readonly waiting: number
  /** Events in deliveries that are not settled. */
  readonly inDelivery: number
}

/** Whose tokens; without a device: those of every device of the account. */
export interface RevocationSubject {
  readonly tenant: string
  readonly account: string
  readonly device?: string
}

/** What was issued to the subject before beforeMs is no longer good. */
export interface Revocation extends RevocationSubject {
  readonly beforeMs: number
}

/**
 * The relay's one durable place. The suite in test/contract/relay-store.ts runs against every implementation.
 * Every method is one transaction; a promise resolves only after commit and sync.
 */
export interface RelayStore {
  /** De-duplicates by (tenant, account, stream, seq) and stores what is new, in one transaction. */
  accept(request: AcceptRequest): Promise<AcceptResult>
  /**
   * The lane's oldest unsettled delivery that is due and unleased; else cuts a new one from the oldest stored events.
   * At most one delivery of a lane is out at a time unless the store is asked by several owners. A postponed delivery
   * does not keep new ones from being cut: how many may wait is the forwarder's business.
   */
  openDelivery(options: OpenDeliveryOptions, build: BuildDelivery): Promise<Delivery | undefined>
  /** The upstream accepted it: counts its events as forwarded. This and the next three do nothing for a settled id. */
  acceptDelivery(id: string, nowMs: number): Promise<void>
  /** Not settled: keep it and send the same bytes again, not before notBeforeMs. */
  postponeDelivery(id: string, notBeforeMs: number, error: string): Promise<void>
  /** Replaces it by two halves, or more when the builder takes less (rows > 1): to find the poison event, or for size. */
  splitDelivery(id: string, build: BuildDelivery): Promise<void>
  /** Its events become dead letters. */
  buryDelivery(id: string, code: string, detail: string, nowMs: number): Promise<void>
  backlog(): Promise<LaneBacklog[]>
  /** Newest streams first; limit default 1,000. */
  ledger(filter?: { account?: string; stream?: string; limit?: number }): Promise<LedgerRow[]>
  totals(): Promise<LedgerTotals>
  /** Newest first; limit default 100. */
  deadLetters(filter?: DeadLetterFilter): Promise<RelayDeadLetter[]>
  /** Replaces a dead letter's data, JSON text; false when there is no such letter. Its event id stays. */
  editDeadLetter(id: number, data: string): Promise<boolean>
  /** Puts dead letters back into their lanes, under the same event ids; those that are there no more are left out. */
  replayDeadLetters(ids: readonly number[]): Promise<RelayDeadLetter[]>
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
  /** Throws when the store cannot write now. */
  check(): Promise<void>
  close(): Promise<void>
}
