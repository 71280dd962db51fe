import type { Meter } from '../meter/contract.ts'
import type { StoredEvent } from './store/contract.ts'

/** Where a field of the upstream event comes from. `data.x.y` walks into the event's data; a function computes it. */
export type FieldSource =
  | 'id'
  | 'account'
  | 'device'
  | 'meter'
  | 'stream'
  | 'seq'
  | 'at'
  | `data.${string}`
  | ((event: MappableEvent) => unknown)

/** What a field function gets: a stored event with its data parsed. */
export interface MappableEvent extends Omit<StoredEvent, 'data'> {
  readonly id: string
  readonly data: unknown
}

/** One meter's way upstream. */
export interface MeterRoute {
  readonly meter: Meter
  readonly upstream: {
    /** The meter's global id, put behind restBase; or a whole "Unique Upload URL" in `url`. */
    readonly meterGlobalId?: string
    readonly url?: string
    /** Upstream field name → source. Exactly one field must be 'id': the one the Deduplicator is keyed on. */
    readonly fields: Readonly<Record<string, FieldSource>>
  }
}

/** Zuora's documented per-call limits by environment. */
export type ZuoraEnvironment = 'api-sandbox' | 'developer-sandbox' | 'central-sandbox' | 'production'

export interface ZuoraOptions {
  /** Such as https://rest.zuora.com; token and ingest share it. http:// is allowed for loopback only. */
  readonly restBase: string
  readonly clientId: string
  readonly clientSecret: string
  /** Default 'production'. */
  readonly environment?: ZuoraEnvironment
  readonly entityIds?: string
  readonly orgIds?: string
  /** Longest wait for one call, ms. Default 30,000. */
  readonly timeoutMs?: number
}

export interface RelayOptions {
  /** Default 'default'. */
  readonly tenant?: string
  /** Default 127.0.0.1:8787. */
  readonly listen?: { readonly host?: string; readonly port?: number }
  /** The relay's public origin, used as issuer and audience of its tokens. */
  readonly publicUrl: string
  readonly store: { readonly sqlite: string }
  readonly meters: readonly MeterRoute[]
  readonly upstream: ZuoraOptions
  /** Keys of the application's back ends: they sign the grants that POST /v1/token swaps for tokens. */
  readonly grants: readonly { readonly keyId: string; readonly secret: string }[]
  /** Browser origins that may call the relay. */
  readonly origins: readonly string[]
  /** Key for GET /v1/ledger (Bearer). No key: the endpoint answers 404. */
  readonly adminKey?: string
  readonly limits?: Partial<RelayLimits>
  /** Life of an issued token, s. Default 900, at most 900. */
  readonly tokenLifeS?: number
}

/** Caps on what a client may send. */
export interface RelayLimits {
  /** Compressed request body. Default 1 MiB. */
  readonly maxWireBytes: number
  /** Inflated request body. Default 8 MiB. */
  readonly maxBodyBytes: number
  /** One event's JSON. Default 64 KiB. */
  readonly maxEventBytes: number
  /** Default 10,000. */
  readonly maxEventsPerBatch: number
  /** Default 32. */
  readonly maxDepth: number
  /** Oldest event taken, ms before now. Default 60 days (the longest that the upstream's Deduplicator remembers). */
  readonly maxEventAgeMs: number
  /** How far ahead of the relay's clock an event may be. Default 24 h. */
  readonly maxEventAheadMs: number
}
