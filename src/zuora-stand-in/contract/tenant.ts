/** What a tenant of Zuora's has: meters, clients, and the limits of its environment. */

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
