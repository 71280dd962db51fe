import { eventId } from '../../meter/contract.ts'
import type { FieldSource, MappableEvent } from '../contract.ts'
import type { StoredEvent } from '../store/contract.ts'

/** One upstream row as JSON text, or why there can be none. `detail` names fields, never values. */
export type Mapped = { readonly row: string } | { readonly code: MappingProblem; readonly detail: string }

export type MappingProblem =
  | 'bad_data'
  | 'bad_time'
  | 'missing_field'
  | 'mapping_failed'
  | 'unsupported_text'
  | 'unsupported_number'
  | 'unsupported_value'

type Reader = (event: MappableEvent) => unknown
type Value = string | number | boolean

class Unmappable extends Error {
  readonly code: MappingProblem

  constructor(code: MappingProblem, detail: string) {
    super(detail)
    this.code = code
  }
}

/** Half of a surrogate pair: text that UTF-8 writes in four bytes, or cannot write. The upstream refuses it. */
const SURROGATE = /[\ud800-\udfff]/
const UPSTREAM_TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/

/**
 * Makes the function that turns a stored event into the upstream's row.
 *
 * @example const map = createMapper({ UsageIdentifier: 'id', UsageDate: 'at', Quantity: 'data.quantity' })
 */
export function createMapper(fields: Readonly<Record<string, FieldSource>>): (event: StoredEvent) => Mapped {
  const readers = Object.entries(fields).map(([name, source]): [string, string, Reader] => [
    name,
    typeof source === 'function' ? 'a function' : source,
    readerOf(source),
  ])
  return (stored) => {
    try {
      const event = toMappable(stored)
      const row = readers.map(([name, from, read]) => [name, readField(event, read, `Field "${name}" (${from})`)])
      return { row: JSON.stringify(Object.fromEntries(row)) }
    } catch (error) {
      if (!(error instanceof Unmappable)) throw error
      return { code: error.code, detail: error.message }
    }
  }
}

function toMappable(stored: StoredEvent): MappableEvent {
  try {
    return { ...stored, id: eventId(stored.stream, stored.seq), data: JSON.parse(stored.data) }
  } catch {
    throw new Unmappable('bad_data', "The event's data is not JSON.")
  }
}

function readerOf(source: FieldSource): Reader {
  if (typeof source === 'function') return source
  if (source === 'at') return ({ atMs }) => new Date(atMs)
  if (!source.startsWith('data.'))
    return (event) => event[source as 'id' | 'account' | 'device' | 'meter' | 'stream' | 'seq']
  const path = source.split('.').slice(1)
  return ({ data }) => path.reduce(ownProperty, data)
}

function ownProperty(value: unknown, key: string): unknown {
  if (typeof value !== 'object' || value === null || !Object.hasOwn(value, key)) return undefined
  return (value as Record<string, unknown>)[key]
}

function readField(event: MappableEvent, read: Reader, name: string): Value {
  let value: unknown
  try {
    value = read(event)
  } catch {
    // What it threw may quote the event, so it is not passed on.
    throw new Unmappable('mapping_failed', `${name} threw an error: see the relay's configuration.`)
  }
  return value instanceof Date ? toUpstreamTime(value, name) : toValue(value, name)
}

function toValue(value: unknown, name: string): Value {
  switch (typeof value) {
    case 'string':
      if (!SURROGATE.test(value)) return value
      throw new Unmappable('unsupported_text', `${name} holds a character beyond U+FFFF, such as an emoji.`)
    case 'number':
      if (Number.isFinite(value)) return value
      throw new Unmappable('unsupported_number', `${name} is not a finite number.`)
    case 'boolean':
      return value
    default:
      if (value === undefined || value === null) throw new Unmappable('missing_field', `${name} is missing.`)
      throw new Unmappable('unsupported_value', `${name} is neither text, number, boolean nor date.`)
  }
}

/** Whole seconds, as in 2026-03-31T10:30:00Z. */
function toUpstreamTime(date: Date, name: string): string {
  const text = Number.isNaN(date.getTime()) ? '' : date.toISOString().replace(/\.\d+Z$/, 'Z')
  if (UPSTREAM_TIME.test(text)) return text
  throw new Unmappable('bad_time', `${name} is not a time between the years 0 and 9999.`)
}
