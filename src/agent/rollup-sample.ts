import type { Aggregate, Meter } from '../meter/contract.ts'
import { checkSize, checkTime, type SizeLimit, validateData } from '../meter/encode-event.ts'
import { refusal } from '../meter/refusal.ts'

type Row = Readonly<Record<string, unknown>>

/** What one record() adds to its window. */
export interface Sample {
  /** Values of `by`, in its order; undefined where the data has no such field. */
  readonly parts: readonly unknown[]
  /** Values of `sum`, in its order. */
  readonly amounts: readonly number[]
}

function refuse(meter: Meter, text: string): never {
  throw refusal(meter, 'invalid_data', ` refused the event. ${text}`)
}

function numberOf(meter: Meter, data: Row, field: string): number {
  const value = data[field]
  if (typeof value === 'number' && Number.isFinite(value)) return value
  return refuse(meter, `${field}: aggregate.sum needs a number.`)
}

function partOf(meter: Meter, data: Row, field: string): unknown {
  const value = data[field]
  if (value === null || ['undefined', 'string', 'number', 'boolean'].includes(typeof value)) return value
  return refuse(meter, `${field}: aggregate.by needs a string, a number, a boolean or null.`)
}

/** @throws MetertapError `invalid_data`, `async_schema` or `not_json`. */
export function sampleOf(meter: Meter, { sum, by = [] }: Aggregate, data: unknown): Sample {
  const row = validateData(meter, data)
  if (row === null || typeof row !== 'object') refuse(meter, 'aggregate needs data that is an object.')
  const parts = by.map((field) => partOf(meter, row as Row, field))
  return { parts, amounts: sum.map((field) => numberOf(meter, row as Row, field)) }
}

/** The summed event's data. */
export function dataOf({ sum, by = [] }: Aggregate, { parts, amounts }: Sample): Row {
  const row: Record<string, unknown> = {}
  for (const [i, field] of by.entries()) if (parts[i] !== undefined) row[field] = parts[i]
  for (const [i, field] of sum.entries()) row[field] = amounts[i]
  return row
}

/**
 * The event of a window as its first sample makes it. The sum has to pass the schema too, or the relay will refuse it:
 * better now than then.
 * @throws MetertapError `invalid_data`, `async_schema`, `not_json` or `event_too_large`.
 */
export function firstText(
  meter: Meter,
  aggregate: Aggregate,
  startMs: number,
  sample: Sample,
  limit: SizeLimit,
): string {
  const data = dataOf(aggregate, sample)
  validateData(meter, data)
  const text = JSON.stringify([meter.name, startMs, data])
  checkSize(meter, text, limit)
  return text
}

/** When the window of this moment begins. */
export function windowStart(atMs: number, windowMs: number): number {
  return Math.floor(atMs / windowMs) * windowMs
}

/** The event of a window that takes no second sample. */
export function soleText(meter: Meter, atMs: number, data: unknown, limit: SizeLimit): string {
  checkTime(meter, atMs)
  const aggregate = meter.options.aggregate as Aggregate
  return firstText(meter, aggregate, windowStart(atMs, aggregate.windowMs), sampleOf(meter, aggregate, data), limit)
}
