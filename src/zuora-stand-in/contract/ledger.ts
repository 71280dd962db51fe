import type { FaultKind } from './faults.ts'

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
