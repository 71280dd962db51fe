import type { Range, StreamReport, WireClock } from '../../wire/contract.ts'

/** One event that passed every check and may be stored. */
export interface AcceptableEvent {
  /** The event's stream. */
  readonly stream: string
  /** Its number there. */
  readonly seq: number
  /** The meter's name. */
  readonly meter: string
  /** When the usage happened, by the device or the caller, ms since 1970. */
  readonly atMs: number
  /** The event's data as JSON text: the schema's output. */
  readonly data: string
  /** The caller's own key, 1–200 characters: of an account's events with one key, one is billed. */
  readonly idempotencyKey?: string
}

/** One request's events after validation. Tenant, account and device come from the verified token. */
export interface AcceptRequest {
  /** The relay's tenant. */
  readonly tenant: string
  /** Who is billed, by the token. */
  readonly account: string
  /** The account's device, by the token. */
  readonly device: string
  readonly receivedAtMs: number
  readonly streams: readonly StreamReport[]
  readonly events: readonly AcceptableEvent[]
  /** Events refused by validation: only counted, once per number. */
  readonly refused: readonly { stream: string; seq: number }[]
  /** The sender's clock, kept with each stream of the request; the newest stays. */
  readonly clock?: WireClock
  /** The events are stored and acknowledged, and stay on hold until releaseHeld(). Default false. */
  readonly hold?: boolean
}

export interface AcceptResult {
  /** What the store durably holds now, for each stream of the request. */
  readonly received: Readonly<Record<string, readonly Range[]>>
  readonly stored: number
  /** Events whose number was held before. */
  readonly duplicates: number
  /** New events whose idempotency key was known: received, and never forwarded. */
  readonly deduplicated: number
  /** Events only the store can refuse: `too_many_gaps` when a stream's range list would pass its cap. */
  readonly rejected: readonly { stream: string; seq: number; code: string; detail: string }[]
}

/** A stored event on its way upstream. Its idempotency key has done its work and is not here. */
export interface StoredEvent extends Omit<AcceptableEvent, 'idempotencyKey'> {
  /** The relay's tenant. */
  readonly tenant: string
  /** Who is billed, by the token. */
  readonly account: string
  /** The account's device, by the token. */
  readonly device: string
  /** When the relay stored it, ms since 1970. */
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
  /** Time of its oldest event, ms since 1970. */
  readonly oldestAtMs: number
  /**
   * When the first call was made that the upstream may have taken without our knowing, ms. Absent: if it was ever sent,
   * it was refused for certain.
   */
  readonly doubtSinceMs?: number
}

export interface OpenDeliveryOptions {
  readonly lane: string
  /** Who claims it; a claim ends by itself at nowMs + leaseMs. */
  readonly owner: string
  readonly leaseMs: number
  readonly nowMs: number
  /** At most this many stored events are offered to the builder; fewer when they are large (8 Mi characters of data). */
  readonly maxEvents: number
  /** False: only what was cut before, nothing new. Default true. */
  readonly mayCut?: boolean
  /** Strict order: nothing but the lane's oldest delivery that is neither settled nor parked, due or not. Default false. */
  readonly ordered?: boolean
  /** Events with a time before `beforeMs` are moved to another lane instead of being offered. */
  readonly late?: { readonly lane: string; readonly beforeMs: number }
}

/** A delivery that is no longer sent by itself: the upstream may have taken it, and might not notice a second copy. */
export interface ParkedDelivery {
  readonly id: string
  readonly lane: string
  readonly rows: number
  readonly attempts: number
  /** Event ids, the first 100. */
  readonly events: readonly string[]
  readonly oldestAtMs: number
  readonly doubtSinceMs?: number
  readonly reason: string
  readonly parkedAtMs: number
}

/** What the operator found out about a parked delivery: the upstream has it, has not, or must not get it. */
export type ParkedVerdict = 'accepted' | 'resend' | 'bury'

/** Events on hold of one account and meter. */
export interface HeldEvents {
  readonly tenant: string
  readonly account: string
  readonly meter: string
  readonly events: number
  readonly sinceMs: number
}

/** An event that the upstream first took and later refused (its import failed), as the upstream tells it. */
export interface ImportFailure {
  /** Names this failure for ever: a second report of it changes nothing. */
  readonly mark: string
  /** When the mark may be forgotten, ms. */
  readonly markExpiresAtMs: number
  readonly tenant: string
  /** Absent when the upstream's row does not tell: then the stream must belong to one account only. */
  readonly account?: string
  readonly stream: string
  readonly seq: number
  readonly meter: string
  readonly atMs: number
  /** What can be told of the event's data from the upstream's row, JSON text. */
  readonly data: string
  /** The data is not all there: the letter can be replayed only after an edit. */
  readonly needsEdit: boolean
  readonly code: string
  readonly detail: string
}

/** known: reported before, or in the dead letters already. unknown: this relay has forwarded no such event. */
export type ImportFailureResult = 'buried' | 'known' | 'unknown'

/** An event that the upstream (or the mapping) refused, kept for the operator. */
export interface RelayDeadLetter extends StoredEvent {
  readonly id: number
  readonly code: string
  readonly detail: string
  readonly diedAtMs: number
  /** The data as it was before the first edit. */
  readonly originalData?: string
  /** Cannot be replayed until it is edited: only a part of its data came back from the upstream. */
  readonly needsEdit?: true
}

/** Newest first; default 100. `before` and `id` are ids of letters. */
export interface DeadLetterFilter {
  readonly id?: number
  readonly meter?: string
  readonly account?: string
  readonly stream?: string
  readonly code?: string
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

/**
 * One stream in the ledger. recorded = received + declared + rejected + missing (what is still on the device counts as
 * missing until it arrives); received = forwarded + dead + discarded + deduplicated + held + what is on its way.
 */
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
  /** Dead letters that the operator deleted. */
  readonly discarded: number
  /** Received under an idempotency key that was known: not forwarded. */
  readonly deduplicated: number
  /** Received and on hold. */
  readonly held: number
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
  readonly discarded: number
  readonly deduplicated: number
  readonly held: number
  readonly missing: number
}

/**
 * What happened to an account's events of one meter within one hour: changes, not levels. Over all hours `received` and
 * `deduplicated` add up to the ledger's figures, `forwarded − importFailed` and `dead` too; a dead letter that is
 * replayed or deleted takes its count back in the hour in which that happens, so `dead` may be negative.
 */
export interface HourRow {
  readonly tenant: string
  readonly account: string
  readonly meter: string
  /** Start of the hour, ms since 1970. */
  readonly hourMs: number
  readonly received: number
  readonly forwarded: number
  /** Forwarded in this hour or before, and reported by the upstream as failed in this hour. */
  readonly importFailed: number
  readonly dead: number
  readonly deduplicated: number
}

/** Oldest hours first; limit default 1,000. Hours from fromMs (inclusive) until untilMs (exclusive). */
export interface HourFilter {
  readonly account?: string
  readonly meter?: string
  readonly fromMs?: number
  readonly untilMs?: number
  readonly limit?: number
}

export interface LaneBacklog {
  readonly lane: string
  /** Events stored and not yet put into a delivery. */
  readonly waiting: number
  /** Events in deliveries that are neither settled nor parked. */
  readonly inDelivery: number
  /** Events in parked deliveries: they wait for the operator. */
  readonly parked: number
  /** When the oldest event on its way was received, ms; absent when there is none. */
  readonly oldestReceivedAtMs?: number
  /** The operator paused the lane. */
  readonly paused?: { readonly reason: string; readonly sinceMs: number }
}

/** Tokens that many processes draw calls from, one bucket for each span of the upstream's limits. */
export interface CallBucket {
  readonly name: string
  /** Most that can be drawn at once. */
  readonly capacity: number
  /** Refill, calls per ms. */
  readonly perMs: number
}

/** A budget of upstream calls that many processes share. */
export interface CallSource {
  /** As many of the wanted calls as may be made now, 0 too; then waitMs says when to ask again. */
  take(want: number): Promise<{ readonly calls: number; readonly waitMs: number }>
  /** The upstream said that the limit is used up: nobody takes any for so long. */
  hold(ms: number): Promise<void>
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
