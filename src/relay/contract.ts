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
  /** The event's id, `<stream>-<seq>`. */
  readonly id: string
  /** Its data, as the meter's schema let it through. */
  readonly data: unknown
}

/** One meter's way upstream. */
export interface MeterRoute {
  /** The very declaration that agents record with. */
  readonly meter: Meter
  /** Where the meter's events go in Zuora, and as what. */
  readonly upstream: {
    /** The meter's global id, put behind restBase; or a whole "Unique Upload URL" in `url`. */
    readonly meterGlobalId?: string
    /** A whole "Unique Upload URL", in place of `meterGlobalId`. */
    readonly url?: string
    /** The meter's own id, as in `/meters/{meterId}/summary`: the reconciler needs it. Default: meterGlobalId. */
    readonly meterId?: string
    /** Upstream field name → source. Exactly one field must be 'id': the one the Deduplicator is keyed on. */
    readonly fields: Readonly<Record<string, FieldSource>>
    /**
     * 'account': an account's events arrive in the order in which the relay took them, one call at a time; a call that
     * fails holds up what is behind it. Events that are late, parked or replayed come out of order even then. Default: none.
     */
    readonly ordered?: 'account'
    /**
     * For how many days the meter's Deduplicator knows an event's id. 0: the meter has none. Events older than nine
     * tenths of it are sent one by one through the lane `<meter>:late`; a call that may have been taken is not sent again
     * once the window is over, but parked for the operator. Default 30.
     */
    readonly dedupWindowDays?: number
    /**
     * What becomes of events when `fields` fit none of them, 20 or more in a row (`missing_field`, `mapping_failed`,
     * `unsupported_value`). 'hold': the lane keeps its queue until one can be mapped. 'bury': each becomes a dead letter, as
     * a single such event does in either case. Default 'hold'.
     */
    readonly whenUnmappable?: 'hold' | 'bury'
  }
}

/** Zuora's documented per-call limits by environment. */
export type ZuoraEnvironment = 'api-sandbox' | 'developer-sandbox' | 'central-sandbox' | 'production'

/** How the relay reaches Zuora Mediation. */
export interface ZuoraOptions {
  /** Such as https://rest.zuora.com; token and ingest share it. http:// is allowed for loopback only. */
  readonly restBase: string
  /** Of an OAuth client whose user may run meters. */
  readonly clientId: string
  /** That client's secret; better in `METERTAP_ZUORA_CLIENT_SECRET` than in a file. */
  readonly clientSecret: string
  /** Default 'production'. */
  readonly environment?: ZuoraEnvironment
  /** Value of the header Zuora-Entity-Ids, for tenants with Multi-entity. Default: not sent. */
  readonly entityIds?: string
  /** Value of the header Zuora-Org-Ids, for tenants with Multi-Org. Default: not sent. */
  readonly orgIds?: string
  /** Longest wait for one call, ms. Default 30,000. */
  readonly timeoutMs?: number
  /** Most calls of one meter under way at once; how many there really are follows the upstream's answers. Default 8. */
  readonly maxCallsInFlight?: number
}

/**
 * Who may prove an application's user by its own session JWT (`POST /v1/token` with `{ session, device }`).
 * Signatures with a public key only.
 */
export interface SessionIssuer {
  /** The JWT's `iss`, exactly. */
  readonly issuer: string
  /** The JWT's `aud`, or one of them. */
  readonly audience: string
  /** Where the issuer's keys are: https, or http on loopback. Kept for 10 minutes, fetched again for an unknown key. */
  readonly jwksUrl: string
  /** Default: RS, PS and ES with 256, 384 and 512, EdDSA, Ed25519. */
  readonly algorithms?: readonly string[]
  /** The claim that names who is billed. Default 'sub'. */
  readonly accountClaim?: string
  /** The claim that names the device. Default: the `device` that the client sends. */
  readonly deviceClaim?: string
  /** Meters that the issuer's users may record. An empty list means none; at most 100. */
  readonly meters: readonly string[]
  /** A claim with a list of meter names; only those also in `meters` are allowed. Default: all of `meters`. */
  readonly metersClaim?: string
  /** Requests per minute of each device. Default: limits.devicePerMinute. */
  readonly ratePerMinute?: number
}

/** Where the operator's API listens: apart from the agents' port, so that it need not be on the internet. */
export interface AdminOptions {
  /** Bearer key of every admin request, at least 32 bytes. */
  readonly key: string
  /** Default 127.0.0.1:8788. */
  readonly listen?: { readonly host?: string; readonly port?: number }
  /** Folder for backups asked for over the API. Default: they are refused. */
  readonly backupFolder?: string
}

/** Where the relay keeps what it has taken. */
export type StoreOptions =
  /** A file on a local disk: one relay. Its folder must exist. */
  { readonly sqlite: string } | PostgresOptions

/** A PostgreSQL database: any number of relays at a time, also through PgBouncer in transaction mode. */
export interface PostgresOptions {
  /** postgres://user:password@host:port/database, with ?sslmode=verify-full where the network is not yours. */
  readonly postgres: string
  /** The schema that holds the tables. Default 'metertap'. */
  readonly schema?: string
  /** Most connections of one relay process. Default 10. */
  readonly maxConnections?: number
}

/** All that a relay is told. */
export interface RelayOptions {
  /** Default 'default'. */
  readonly tenant?: string
  /** Where agents reach the relay. */
  readonly listen?: {
    /** Default 127.0.0.1. */
    readonly host?: string
    /** Default 8787. */
    readonly port?: number
    /** How many proxies in front add to X-Forwarded-For; a client's address is read behind them. Default 0: none is believed. */
    readonly trustedProxies?: number
  }
  /** The relay's public origin, used as issuer and audience of its tokens. */
  readonly publicUrl: string
  /** Where events are kept until they are forwarded, and what is known of their streams for good. */
  readonly store: StoreOptions
  /** What may be recorded, and where it goes. One route for each meter. */
  readonly meters: readonly MeterRoute[]
  /** Where usage is forwarded to. */
  readonly upstream: ZuoraOptions
  /** Keys of the application's back ends: they sign the grants that POST /v1/token swaps for tokens. */
  readonly grants?: readonly { readonly keyId: string; readonly secret: string }[]
  /** Issuers of the application's session JWTs, which POST /v1/token swaps for tokens too. */
  readonly sessions?: readonly SessionIssuer[]
  /**
   * Browser origins that may call the relay: exact, no wildcard. An Electron app's pages have 'null' (from files) or their
   * own scheme ('app://acme'); both are allowed only by standing here. 'null' is also what any sandboxed frame sends.
   */
  readonly origins: readonly string[]
  /** Without it (and without METERTAP_ADMIN_KEY) there is no admin API. */
  readonly admin?: AdminOptions
  /** What differs from the default limits. */
  readonly limits?: Partial<RelayLimits>
  /** Wishes about agents' pace, told with every answer. Default: none, agents go by their own settings. */
  readonly policy?: DeliveryPolicy
  /** How often the relay reconciles with the upstream by itself, hours. Default: only when the operator asks. */
  readonly reconcileEveryHours?: number
  /**
   * For how many days an idempotency key is known, at least: it is never less than the age and lead that limits allow an
   * event. At most 400. Default 60.
   */
  readonly idempotencyWindowDays?: number
  /** Life of an issued token, s: 600–900. Default 900. */
  readonly tokenLifeS?: number
  /** Days until the next key signs tokens. Default 30. */
  readonly signingKeyDays?: number
}

/**
 * What the relay asks of agents, in each answer to a batch: they follow within their own bounds for as long as they run,
 * and only ever lower a limit. Events recorded meanwhile wait in their outboxes.
 */
export interface DeliveryPolicy {
  /** How long agents let events wait for others before they send, ms: 1,000–3,600,000. Default: each agent's own, 5,000. */
  readonly flushIntervalMs?: number
  /** Events in one batch: 1–10,000. Default: each agent's own, 2,000. */
  readonly maxBatchEvents?: number
  /** Bytes of one batch before compression: 16 KiB–8 MiB. Default: each agent's own, 512 KiB. */
  readonly maxBatchBytes?: number
  /**
   * How long an agent sends nothing after each answer, ms: 1–86,400,000. So it sends one batch in that time, however much
   * waits. Default: no hold.
   */
  readonly holdMs?: number
}

/**
 * Caps on what a client may send, and on what the relay takes on. Where several relay processes share a store, requests
 * a minute, connections and memory are each process's own; the daily cap and the backlog are those of all together.
 */
export interface RelayLimits {
  /** Compressed request body. Default 1 MiB. */
  readonly maxWireBytes: number
  /** Inflated request body. Default 8 MiB. */
  readonly maxBodyBytes: number
  /** Inflated bytes for each byte on the wire; bodies up to 1 MiB may have any. Default 200. */
  readonly maxInflateRatio: number
  /** Commas and opening brackets in a body, as an upper estimate of its values. Default 1,000,000. */
  readonly maxValues: number
  /** One event's JSON. Default 64 KiB. */
  readonly maxEventBytes: number
  /** Default 10,000. */
  readonly maxEventsPerBatch: number
  /** Levels of nesting in an event's data. Default 32. */
  readonly maxDepth: number
  /** Keys in an event's data, on all levels. Default 1,000. */
  readonly maxKeys: number
  /** UTF-16 units of one string or key in an event's data. Default 65,536. */
  readonly maxStringChars: number
  /** Oldest event taken, ms before now. Default 60 days (the longest that the upstream's Deduplicator remembers). */
  readonly maxEventAgeMs: number
  /** How far ahead of the relay's clock an event may be. Default 24 h. */
  readonly maxEventAheadMs: number
  /** How long a request's body may take to arrive, ms. Default 30,000. */
  readonly bodyTimeoutMs: number
  /**
   * Inflated bodies in memory, of all requests with a good token together, one account half of it at most; requests whose
   * token is not known yet have a quarter of it. Default 32 MiB.
   */
  readonly maxOpenBytes: number
  /** Requests of one device at a time. Default 8. */
  readonly maxOpenPerDevice: number
  /** Connections to the agents' port. Default 10,000. */
  readonly maxConnections: number
  /** Requests a minute from one address (IPv6: one /64); a whole minute's may come at once. Default 3,000. */
  readonly addressPerMinute: number
  /** Requests a minute of one device, unless its token says otherwise. Default 600. */
  readonly devicePerMinute: number
  /** Requests a minute of one account. Default 6,000. */
  readonly accountPerMinute: number
  /** Requests a minute altogether. Default 60,000. */
  readonly tenantPerMinute: number
  /**
   * Events of one account in one day (UTC). What comes beyond is stored, acknowledged and held until an operator releases
   * it; a batch counts as a whole, so the last one may go over. Default: no cap.
   */
  readonly maxEventsPerAccountPerDay?: number
  /** Below this much free disk space nothing is taken, bytes; of a SQLite store's disk. Default 256 MiB. */
  readonly minFreeDiskBytes: number
  /** While commits take longer than this (recent average), nothing is taken, ms. Default 5,000. */
  readonly maxCommitMs: number
  /** Events stored and not yet accepted upstream; beyond it nothing is taken. Default 50,000,000. */
  readonly maxBacklogEvents: number
}
