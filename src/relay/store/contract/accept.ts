import type { Range, StreamReport, WireClock } from '../../../wire/contract.ts'

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

/** Consecutive numbers of one stream: `[stream, first, count]`. */
export type Span = [stream: string, first: number, count: number]

/**
 * Events of one meter, without idempotency keys, in the form in which they are stored: nothing is made of each of them on
 * its way from the judge to the disk.
 */
export interface EventPack {
  /** The meter's name. */
  readonly meter: string
  /** Whose numbers they are, in the order of the lines. */
  readonly spans: readonly Span[]
  readonly count: number
  /** One line `[at,data]` for each event, its data the schema's output. */
  readonly body: string
}

/** One request's events after validation. Tenant, account and device come from the verified token. */
export interface AcceptRequest {
  /** The relay's tenant. */
  readonly tenant: string
  /** Who is billed, by the token. */
  readonly account: string
  /** The account's device, by the token. */
  readonly device: string
  /** When the request came, ms since 1970. */
  readonly receivedAtMs: number
  /** What the sender says of each stream of the request. */
  readonly streams: readonly StreamReport[]
  /** Events to store, each by itself. */
  readonly events: readonly AcceptableEvent[]
  /** More of its events. Default: none. */
  readonly packs?: readonly EventPack[]
  /** Events refused by validation: only counted, once per number. */
  readonly refused: readonly EventPlace[]
  /** The sender's clock, kept with each stream of the request; the newest stays. */
  readonly clock?: WireClock
  /** The events are stored and acknowledged, and stay on hold until releaseHeld(). Default false. */
  readonly hold?: boolean
}

/** Where an event is: its stream, and its number there. */
export interface EventPlace {
  /** The event's stream. */
  readonly stream: string
  /** Its number there. */
  readonly seq: number
}

/** Why the store could not take an event. */
export interface StoreRejection extends EventPlace {
  /** `too_many_gaps` alone. */
  readonly code: string
  /** For people. */
  readonly detail: string
}

/** What became of a request. */
export interface AcceptResult {
  /** What the store durably holds now, for each stream of the request. */
  readonly received: Readonly<Record<string, readonly Range[]>>
  /** Events that are new and stored now. */
  readonly stored: number
  /** Events whose number was held before. */
  readonly duplicates: number
  /** New events whose idempotency key was known: received, and never forwarded. */
  readonly deduplicated: number
  /** Events only the store can refuse: `too_many_gaps` when a stream's range list would pass its cap. */
  readonly rejected: readonly StoreRejection[]
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

/** Events on hold of one account and meter. */
export interface HeldEvents {
  /** The relay's tenant. */
  readonly tenant: string
  /** Who is to be billed. */
  readonly account: string
  /** The meter's name. */
  readonly meter: string
  /** How many they are. */
  readonly events: number
  /** When the oldest of them was received, ms since 1970. */
  readonly sinceMs: number
}
