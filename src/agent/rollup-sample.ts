import type { Aggregate, Meter } from '../meter/contract.ts'
import { checkSize, checkTime, type SizeLimit, validateData } from '../meter/encode-event.ts'
import { refusal } from '../meter/refusal.ts'

/** Data by the names of their fields. */
export type Row = Readonly<Record<string, unknown>>

function refuse(meter: Meter, text: string): never {
  throw refusal(meter, 'invalid_data', ` refused the event. ${text}`)
}

/**
 * The fields of `by` and `sum`, as one event's data or as what it adds to its window.
 * @throws MetertapError `invalid_data`, `async_schema` or `not_json`.
 */
export function sampleOf(meter: Meter, { sum, by = [] }: Aggregate, data: unknown): Row {
  const row = validateData(meter, data) as Row | null
  if (row === null || typeof row !== 'object') return refuse(meter, 'aggregate needs data that is an object.')
  const sample: Record<string, unknown> = {}
  for (const field of by) {
    const value = row[field]
    if (value !== null && ['object', 'function'].includes(typeof value))
      refuse(meter, `${field}: aggregate.by needs a string, a number, a boolean or null.`)
    if (value !== undefined) sample[field] = value
  }
  for (const field of sum) {
    if (!Number.isFinite(row[field])) refuse(meter, `${field}: aggregate.sum needs a number.`)
    sample[field] = row[field]
  }
  return sample
}

/**
 * The event of a window as its first sample makes it. The sum has to pass the schema too, or the relay will refuse it:
 * better now than then.
 * @throws MetertapError `invalid_data`, `async_schema`, `not_json` or `event_too_large`.
 */
export function firstText(meter: Meter, startMs: number, sample: Row, limit: SizeLimit): string {
  validateData(meter, sample)
  const text = JSON.stringify([meter.name, startMs, sample])
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
  return firstText(meter, windowStart(atMs, aggregate.windowMs), sampleOf(meter, aggregate, data), limit)
}
