import type { StandardSchemaV1 } from '@standard-schema/spec'
import { MetertapError } from '../wire/errors.ts'
import { type Aggregate, METER_NAME, type Meter, type MeterOptions } from './contract.ts'

function checkAggregate(name: string, { windowMs, sum, by = [] }: Aggregate): void {
  const refuse = (text: string) => {
    throw new MetertapError('bad_option', `Meter "${name}": ${text}`, { name })
  }
  if (!Number.isSafeInteger(windowMs) || windowMs < 1_000 || windowMs > 86_400_000) {
    refuse('aggregate.windowMs must be whole ms from 1,000 to 86,400,000.')
  }
  const fields = Array.isArray(sum) && Array.isArray(by) && sum.length > 0 ? [...sum, ...by] : [undefined]
  if (fields.some((field) => typeof field !== 'string')) {
    refuse('aggregate.sum (not empty) and aggregate.by must list field names.')
  }
  if (new Set(fields).size < fields.length) refuse('aggregate names a field twice.')
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
  if (!METER_NAME.test(name)) {
    const text = `Meter name ${JSON.stringify(name)} must start with a letter, then letters, digits, _ . or -, 64 at most.`
    throw new MetertapError('bad_option', text, { name })
  }
  if (typeof schema?.['~standard']?.validate !== 'function') {
    const text = `Meter "${name}" needs a Standard Schema, such as z.object({…}).`
    throw new MetertapError('bad_option', text, { name })
  }
  const { durability = 'process' } = options
  if (durability !== 'process' && durability !== 'power') {
    throw new MetertapError('bad_option', `Meter "${name}": durability must be 'process' or 'power'.`, { name })
  }
  if (options.aggregate) checkAggregate(name, options.aggregate)
  return Object.freeze({ name, schema, options: Object.freeze({ ...options }) })
}
