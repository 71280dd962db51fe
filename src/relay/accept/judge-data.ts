import type { StandardSchemaV1 } from '@standard-schema/spec'
import type { Meter } from '../../meter/contract.ts'
import type { RelayLimits } from '../contract.ts'
import { describeIssues } from './describe-issues.ts'
import { type Finding, inspect, type ShapeLimits } from './inspect.ts'

/**
 * Accepted: the schema's output as JSON text. Or rejected. Undefined, to be tried later, when the schema threw or its
 * output is not JSON: that is the relay's fault, so the event must not pay for it.
 */
export type DataVerdict = string | Rejected | undefined

export interface Rejected {
  readonly code: string
  readonly detail: string
}

export type DataLimits = ShapeLimits & Pick<RelayLimits, 'maxEventBytes'>

const FINDINGS: Readonly<Record<Finding, (limits: DataLimits) => string>> = {
  too_deep: ({ maxDepth }) => `Data may be nested ${maxDepth} levels deep.`,
  forbidden_key: () => 'Data may not have a key __proto__, constructor or prototype: rename it.',
  too_many_keys: ({ maxKeys }) => `Data may have ${maxKeys} keys, on all levels together.`,
  string_too_long: ({ maxStringChars }) => `A string or key in data may have ${maxStringChars} characters.`,
}

/**
 * Judges an event's data: its shape first, then the meter's schema. `whole` is what counts for maxEventBytes.
 * A promise comes back only from an asynchronous schema.
 */
export function judgeData(
  meter: Meter,
  data: unknown,
  limits: DataLimits,
  whole: unknown = data,
): DataVerdict | Promise<DataVerdict> {
  return judgeShape(data, limits, whole) ?? validate(meter, data)
}

function judgeShape(data: unknown, limits: DataLimits, whole: unknown): Rejected | undefined {
  const found = inspect(data, limits)
  if (typeof found !== 'number') return reject(found, FINDINGS[found](limits))
  // Most events are far from the limit: their text need not be made to know.
  if (found + frameBytes(whole) <= limits.maxEventBytes) return undefined
  if (isWithin(JSON.stringify(whole), limits.maxEventBytes)) return undefined
  return reject('event_too_large', `An event may have ${limits.maxEventBytes} bytes of JSON.`)
}

/** What an event's JSON has around its data at the most: meter, time, key; infinite for what is no event. */
function frameBytes(whole: unknown): number {
  if (!Array.isArray(whole)) return Number.POSITIVE_INFINITY
  const meter = whole[0] as string
  const key = whole[3] as string | undefined
  return 64 + 6 * (meter.length + (key?.length ?? 0))
}

/** A UTF-16 unit takes three bytes of UTF-8 at most: most texts need not be encoded to know. */
function isWithin(text: string, maxBytes: number): boolean {
  return text.length * 3 <= maxBytes || new TextEncoder().encode(text).byteLength <= maxBytes
}

function validate({ schema }: Meter, data: unknown): DataVerdict | Promise<DataVerdict> {
  try {
    const result = schema['~standard'].validate(data)
    if (!(result instanceof Promise)) return settle(result, data)
    return result.then((settled) => settle(settled, data)).catch(() => undefined)
  } catch {
    return undefined
  }
}

function settle(result: StandardSchemaV1.Result<unknown>, data: unknown): string | Rejected | undefined {
  if (result.issues !== undefined) return reject('invalid_data', describeIssues(result.issues, data))
  // Throws, or gives undefined, for an output that is not JSON.
  return JSON.stringify(result.value) as string | undefined
}

export function reject(code: string, detail: string): Rejected {
  return { code, detail }
}
