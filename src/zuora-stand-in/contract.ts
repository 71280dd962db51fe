/** What the stand-in for Zuora Mediation takes and gives. It is a test double: it bills nobody and forgets all at close(). */

export type FieldType = 'string' | 'number' | 'integer' | 'date' | 'boolean'

export interface FieldRule {
  readonly type: FieldType
  /** Default true: a row without the field is refused. */
  readonly required?: boolean
}

/** One meter: its event definition and its processors. */
export interface MeterOptions {
  /** The meter's global id, as in `POST /usage/bulk/{id}`. The reconciliation endpoints take it as meterId too. */
  readonly id: string
  readonly fields: Readonly<Record<string, FieldRule>>
  /** What a field outside the definition does to its row. Default 'refuse'. */
  readonly unknownFields?: 'accept' | 'refuse'
  /** No deduplicator: doubles are stored, and billed, as doubles. `field` must be a required field. */
  readonly deduplicator?: { readonly field: string /** Default 30 days. */; readonly windowMs?: number }
  /** The ledger counts doubles among billable rows by this field. Default: the deduplicator's; must be a required field. */
  readonly uniqueField?: string
  /** False: the meter's source is not the Streaming API, so the endpoint answers 404. Default true. */
  readonly streaming?: boolean
  /** 'refuse': a row that breaks the definition costs a 400. 'audit': it gets its 200 and dies later, in the audit trail. Default 'refuse'. */
  readonly schemaErrors?: 'refuse' | 'audit'
}

/** Zuora's documented environments; they differ in their limits. */
export type Environment = 'api-sandbox' | 'developer-sandbox' | 'central-sandbox' | 'production'

export interface Limits {
  /** One call's body after inflation, bytes. 1 MB is taken as 1,000,000: the strict reading. */
  readonly payloadBytes: number
  readonly rows: number
  readonly callsPerMinute: number
  readonly callsPerHour: number
  readonly callsPerDay: number
  readonly tokensPerMinutePerIp: number
  readonly tokensPerMinute: number
}

export interface Client {
  readonly clientId: string
  readonly clientSecret: string
  /** The "Run Meters" permission; without it a call answers 403. Default true. */
  readonly runMeters?: boolean
}

/** The body of an error answer. 'html' is a proxy's page, 'empty' has no body at all. */
export type ErrorShape = 'reasons' | 'processId' | 'oauth' | 'message' | 'html' | 'empty'

/** Which calls a fault hits, and how often. */
export interface FaultScope {
  /** Default 'usage'. */
  readonly on?: 'usage' | 'token'
  /** Only calls to this meter. */
  readonly meter?: string
  /** How many calls it hits. Default: every call until cleared. */
  readonly times?: number
  /** Lets this many calls pass first. Default 0. */
  readonly skip?: number
  /** 0 … 1, drawn from the stand-in's seed. Default 1. */
  readonly probability?: number
}

export type FaultKind =
  /** The socket is destroyed before the body is read. */
  | { readonly kind: 'connection-refused' }
  /** Waits: before the call is processed (a retry can overtake it) or after, before its answer. Default 'before'. */
  | { readonly kind: 'slow'; readonly delayMs: number; readonly when?: 'before' | 'after' }
  /** Answers an error; `stored` processes the call first, as a crash after the commit does. */
  | { readonly kind: 'status'; readonly status: number; readonly body?: ErrorShape; readonly stored?: boolean }
  /** 429. A number is seconds (as an HTTP date with `asDate`), text goes out as it is, nothing sends no header. */
  | {
      readonly kind: 'rate-limit'
      readonly retryAfter?: number | string
      readonly asDate?: boolean
      readonly body?: ErrorShape
    }
  /** 401, and all tokens end unless `revoke` is false. */
  | { readonly kind: 'unauthorized'; readonly revoke?: boolean; readonly body?: ErrorShape }
  /** Default status 307. */
  | { readonly kind: 'redirect'; readonly location: string; readonly status?: 301 | 302 | 303 | 307 | 308 }
  /** 200 with `success: false`. `stored` processes the call first. Default: not stored. */
  | { readonly kind: 'success-false'; readonly stored?: boolean }
  /** Processes the call, then destroys the socket: before any answer, or in the middle of its body. Default 'all'. */
  | { readonly kind: 'answer-lost'; readonly cut?: 'all' | 'body' }
  /** 413 for a call above either figure (bytes after inflation). */
  | { readonly kind: 'too-large'; readonly maxBytes?: number; readonly maxRows?: number }
  /** Rows with this value are refused, as a business rule would. */
  | {
      readonly kind: 'refuse-rows'
      readonly where: { readonly field: string; readonly equals: string | number | boolean }
    }

/**
 * A rule of misbehaviour. Of several rules that fit, 'slow' adds to the others and the first of the rest wins.
 * @example { kind: 'status', status: 503, times: 3, body: 'html' }
 */
export type Fault = FaultKind & FaultScope

/** A rule in force: calls it has hit, and calls it still will (absent: no end). */
export interface ActiveFault {
  readonly fault: Fault
  readonly hits: number
  readonly left?: number
}

/** The fault switch. */
export interface FaultSwitch {
  /** Replaces all rules. */
  set(faults: readonly Fault[]): void
  add(...faults: readonly Fault[]): void
  clear(): void
  list(): ActiveFault[]
}

export type Row = Readonly<Record<string, unknown>>

/** What a meter has seen since the start or the last reset. */
export interface MeterTotals {
  /** All calls, whatever became of them. */
  readonly calls: number
  /** Calls with rows that passed the checks (billable or stopped by the deduplicator), also when their answer was lost. */
  readonly storedCalls: number
  /** Rows in all bodies that could be read, resends included. */
  readonly rowsReceived: number
  /** Rows that would be billed: stored and not stopped by the deduplicator. */
  readonly billable: number
  /** Billable rows whose unique value was billable before: a customer billed twice. */
  readonly duplicates: number
  /** Rows stopped by the deduplicator. */
  readonly deduplicated: number
  /** Rows that cost a 400; bad rows only, not the good ones that went down with them. */
  readonly refused: number
  /** Rows answered with 200 that died in the audit trail for breaking the definition. */
  readonly failedLater: number
  /** Exact sum of each number or integer field over billable rows, as decimal text. */
  readonly sums: Readonly<Record<string, string>>
  /** Bytes of bodies as they came. */
  readonly wireBytes: number
  /** Bytes of bodies after inflation. */
  readonly bodyBytes: number
}

/** One call to the usage endpoint. */
export interface CallRecord {
  readonly atMs: number
  readonly meter: string
  readonly trackId?: string
  /** Absent when no answer went out. */
  readonly status?: number
  /** The fault that shaped it. */
  readonly fault?: FaultKind['kind']
  readonly wireBytes: number
  /** After inflation; 0 when it was not looked at. */
  readonly bodyBytes: number
  readonly rows: number
  /** Rows that became billable through this call. */
  readonly billed: number
  /** Hex digest of the body as it came: equal digests show that a retry is byte-identical. */
  readonly sha256: string
}

/** A row that Zuora took and did not bill. */
export interface AuditEntry {
  readonly atMs: number
  readonly meter: string
  readonly code: string
  readonly message: string
  readonly payload: Row
  readonly eventId: string
  readonly traceId: string
  readonly trackId?: string
  readonly operator: 'source' | 'deduplicator'
}

export interface LedgerSnapshot {
  readonly tokenRequests: number
  readonly tokenGrants: number
  /** Things that Zuora does not document and a client should not do: 'idempotency-key', 'query'. */
  readonly oddities: Readonly<Record<string, number>>
  readonly meters: Readonly<Record<string, MeterTotals>>
  /** The last calls, oldest first. */
  readonly calls: readonly CallRecord[]
}

/** What the stand-in holds against the client's own story. */
export interface Ledger {
  /** Throws RangeError for a meter that is not configured. */
  totals(meterId: string): MeterTotals
  /** Billable rows in order of arrival. Throws when the stand-in was started with keepRows false. */
  events(meterId: string): Generator<Row>
  /** True when a billable row has this unique value. Works without kept rows. */
  has(meterId: string, uniqueValue: unknown): boolean
  /** The last calls (see keepCalls), oldest first; of one meter when named, configured or not. */
  calls(meterId?: string): CallRecord[]
  /** The last audit entries (see keepAudit), oldest first. */
  audit(meterId?: string): AuditEntry[]
  readonly tokenRequests: number
  readonly tokenGrants: number
  readonly oddities: Readonly<Record<string, number>>
  snapshot(): LedgerSnapshot
  /** Forgets everything, the deduplicators' memory too. Tokens and faults stay. */
  reset(): void
}

export interface ZuoraStandInOptions {
  /** Default 0: any free port. */
  readonly port?: number
  /** Default 127.0.0.1. */
  readonly host?: string
  readonly clients: readonly Client[]
  readonly meters: readonly MeterOptions[]
  /** Default 'production'. */
  readonly environment?: Environment
  /** Replaces single figures of the environment's limits. */
  readonly limits?: Partial<Limits>
  /** Default 3,599. */
  readonly tokenLifeS?: number
  /** What a 400 does with the valid rows beside the bad ones: 'partial' stores them. Default 'all-or-nothing'. */
  readonly partial?: 'all-or-nothing' | 'partial'
  /** Multi-entity: the entities of the tenant. Absent: Zuora-Entity-Ids is refused. Two or more: it is required. */
  readonly entityIds?: readonly string[]
  /** Multi-Org: the orgs of the user. Absent: Zuora-Org-Ids is refused. */
  readonly orgIds?: readonly string[]
  /** Shape of error bodies. Default 'rotate': each error takes the next one (never 'empty'). */
  readonly errorBodies?: ErrorShape | 'rotate'
  /** Rules in force from the start. */
  readonly faults?: readonly Fault[]
  /** Seed of everything random in the faults. Default 1. */
  readonly seed?: number
  /** Keep billable rows for events(). Default true; they stay compressed as they came. */
  readonly keepRows?: boolean
  /** Default 1,000. */
  readonly keepCalls?: number
  /** Default 10,000. */
  readonly keepAudit?: number
  /** Wall clock, ms. Default Date.now. */
  readonly now?: () => number
}

export interface ZuoraStandIn {
  /** Such as http://127.0.0.1:41234: the restBase of its clients. */
  readonly url: string
  readonly faults: FaultSwitch
  readonly ledger: Ledger
  /** Ends every token, as a changed secret does. */
  revokeTokens(): void
  /** Cuts all connections and frees the port. */
  close(): Promise<void>
}
