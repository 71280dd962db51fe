import type { StandardSchemaV1 } from '@standard-schema/spec'
import { MetertapError } from '../wire/errors.ts'
import { type Aggregate, METER_NAME, type Meter, type MeterOptions } from './contract.ts'

/** @throws MetertapError `bad_option` */
function refuse(name: string, text: string): never {
  throw new MetertapError('bad_option', `Meter ${JSON.stringify(name)} ${text}`, { name })
}

function checkAggregate(name: string, { windowMs, sum, by = [] }: Aggregate): void {
  if (!Number.isSafeInteger(windowMs) || windowMs < 1_000 || windowMs > 86_400_000)
    refuse(name, 'needs an aggregate.windowMs of whole ms from 1,000 to 86,400,000.')
  const fields = Array.isArray(sum) && Array.isArray(by) && sum.length > 0 ? [...sum, ...by] : [undefined]
  if (fields.some((field) => typeof field !== 'string'))
    refuse(name, 'needs lists of field names as aggregate.sum (not empty) and aggregate.by.')
  if (new Set(fields).size < fields.length) refuse(name, 'aggregates a field twice.')
}

/**
 * Declares a kind of billable usage. Agent and relay share the same declaration.
 *
 * @param name 1 to 64 letters, digits, `_`, `.` or `-`, starting with a letter.
 * @param schema Any Standard Schema with a synchronous validate; its output must be JSON and pass the schema again.
 * @throws MetertapError `bad_option` when the name, the schema or an option cannot be used.
 * @example const apiCalls = defineMeter('api_calls', z.object({ feature: z.string(), quantity: z.int() }))
 */
export function defineMeter<const Name extends string, Schema extends StandardSchemaV1>(
  name: Name,
  schema: Schema,
  options: MeterOptions = {},
): Meter<Name, Schema> {
  if (!METER_NAME.test(name)) refuse(name, 'needs a name of a letter, then letters, digits, _ . or -, 64 at most.')
  if (typeof schema?.['~standard']?.validate !== 'function')
    refuse(name, 'needs a Standard Schema, such as z.object({…}).')
  if (!['process', 'power'].includes(options.durability ?? 'process'))
    refuse(name, "needs a durability of 'process' or 'power'.")
  if (options.aggregate) checkAggregate(name, options.aggregate)
  return Object.freeze({ name, schema, options: Object.freeze({ ...options }) })
}
