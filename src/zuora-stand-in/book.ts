import { gunzipSync, gzipSync } from 'node:zlib'
import type { CallRecord, MeterOptions, MeterTotals, Row } from './contract.ts'
import { DecimalSum } from './decimal.ts'
import { createDeduplicator, type Deduplicator } from './deduplicator.ts'

const DEFAULT_WINDOW_MS = 30 * 24 * 60 * 60 * 1_000

/** The rows of one call that passed the checks. */
export interface Posting {
  readonly atMs: number
  readonly rows: readonly Row[]
  /** Indexes of the rows to store. */
  readonly accepted: readonly number[]
  /** The body as it came. */
  readonly bytes: Buffer
  readonly isGzip: boolean
}

/** Counts of one call, for the summary endpoint. */
export interface Tally {
  readonly atMs: number
  readonly operator: 'source' | 'deduplicator'
  readonly code: string
  readonly output: number
  readonly errors: number
}

/** A million rows stay small this way: the call's own compressed body, and which of its rows count. */
interface KeptCall {
  readonly atMs: number
  readonly gzip: Buffer
  readonly billable: Uint32Array
}

/** One meter's side of the ledger. */
export class MeterBook {
  readonly meter: MeterOptions
  readonly tallies: Tally[] = []
  readonly #keepRows: boolean
  readonly #kept: KeptCall[] = []
  readonly #deduplicator: Deduplicator | undefined
  readonly #uniqueField: string | undefined
  readonly #unique = new Set<unknown>()
  readonly #sums: Map<string, DecimalSum>
  readonly #counts = {
    calls: 0,
    storedCalls: 0,
    rowsReceived: 0,
    billable: 0,
    duplicates: 0,
    deduplicated: 0,
    refused: 0,
    failedLater: 0,
    wireBytes: 0,
    bodyBytes: 0,
  }

  constructor(meter: MeterOptions, keepRows: boolean) {
    this.meter = meter
    this.#keepRows = keepRows
    const { deduplicator } = meter
    this.#deduplicator = deduplicator && createDeduplicator(deduplicator.windowMs ?? DEFAULT_WINDOW_MS)
    this.#uniqueField = meter.uniqueField ?? deduplicator?.field
    const numeric = Object.entries(meter.fields).filter(([, { type }]) => type === 'number' || type === 'integer')
    this.#sums = new Map(numeric.map(([name]) => [name, new DecimalSum()]))
  }

  /** Stores rows; gives the indexes of those that the deduplicator stopped. */
  post(posting: Posting, duplicateCode: string): number[] {
    const { atMs, rows, accepted } = posting
    const billable: number[] = []
    const stopped: number[] = []
    for (const index of accepted) {
      const isFirst = this.#bill(rows[index] ?? {}, atMs)
      ;(isFirst ? billable : stopped).push(index)
    }
    this.#counts.storedCalls++
    this.#counts.deduplicated += stopped.length
    this.tallies.push({ atMs, operator: 'source', code: '', output: billable.length, errors: 0 })
    if (stopped.length > 0) {
      this.tallies.push({ atMs, operator: 'deduplicator', code: duplicateCode, output: 0, errors: stopped.length })
    }
    if (this.#keepRows && billable.length > 0) this.#keep(posting, billable)
    return stopped
  }

  noteRefused(rows: number): void {
    this.#counts.refused += rows
  }

  noteFailedLater(atMs: number, code: string, rows: number): void {
    this.#counts.failedLater += rows
    this.tallies.push({ atMs, operator: 'source', code, output: 0, errors: rows })
  }

  noteCall(call: CallRecord): void {
    this.#counts.calls++
    this.#counts.rowsReceived += call.rows
    this.#counts.wireBytes += call.wireBytes
    this.#counts.bodyBytes += call.bodyBytes
  }

  has(uniqueValue: unknown): boolean {
    return this.#unique.has(uniqueValue)
  }

  totals(): MeterTotals {
    const sums = Object.fromEntries([...this.#sums].map(([name, sum]) => [name, sum.toString()]))
    return { ...this.#counts, sums }
  }

  *events(isWanted: (atMs: number) => boolean = () => true): Generator<Row> {
    if (!this.#keepRows) throw new Error('No rows are kept: start the stand-in with keepRows true.')
    for (const { atMs, gzip, billable } of this.#kept) {
      if (!isWanted(atMs)) continue
      const value: unknown = JSON.parse(gunzipSync(gzip).toString('utf8'))
      const rows: readonly Row[] = Array.isArray(value) ? value : [value]
      for (const index of billable) {
        const row = rows[index]
        if (row) yield row
      }
    }
  }

  #bill(row: Row, atMs: number): boolean {
    const { deduplicator } = this.meter
    if (deduplicator && !this.#deduplicator?.admit(row[deduplicator.field], atMs)) return false
    this.#counts.billable++
    if (this.#uniqueField !== undefined) {
      if (this.#unique.has(row[this.#uniqueField])) this.#counts.duplicates++
      else this.#unique.add(row[this.#uniqueField])
    }
    for (const [name, sum] of this.#sums) {
      const value = row[name]
      if (typeof value === 'number') sum.add(value)
    }
    return true
  }

  #keep({ atMs, bytes, isGzip }: Posting, billable: readonly number[]): void {
    this.#kept.push({
      atMs,
      gzip: isGzip ? bytes : gzipSync(bytes, { level: 1 }),
      billable: Uint32Array.from(billable),
    })
  }
}
