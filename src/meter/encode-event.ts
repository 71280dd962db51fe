import type { Meter } from './contract.ts'
import { refusal } from './refusal.ts'

/** The relay's own default: what is deeper would only come back as a dead letter. */
const MAX_DEPTH = 32
/** The last moment that a Date can hold (ECMAScript, time values). */
const MAX_TIME_MS = 8_640_000_000_000_000
const MAX_KEY_LENGTH = 200

/** What an event cannot hold, and where: `.a[0].b`. */
interface Fault {
  readonly path: string
  readonly what: string
}

/** Keys that the relay refuses, since a schema's copy of them could replace a prototype. */
function isForbidden(key: string): boolean {
  return key === '__proto__' || key === 'constructor' || key === 'prototype'
}

function isPlain(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value)
  return prototype === Object.prototype || prototype === null || Object.getPrototypeOf(prototype) === null
}

function faultIn(value: object, depth: number): Fault | undefined {
  if (depth >= MAX_DEPTH) return { path: '', what: `nested more than ${MAX_DEPTH} deep or refers to itself` }
  const { toJSON } = value as { toJSON?: unknown }
  // An invalid Date turns itself into null.
  if (typeof toJSON === 'function') return faultOf(value instanceof Date ? +value : toJSON.call(value, ''), depth + 1)
  if (Array.isArray(value)) {
    for (let i = 0; i < value.length; i++) {
      const fault = faultOf(value[i], depth + 1)
      if (fault) return { ...fault, path: `[${i}]${fault.path}` }
    }
    return undefined
  }
  if (!isPlain(value)) return { path: '', what: `a ${value.constructor?.name ?? 'special object'}` }
  for (const key of Object.keys(value)) {
    if (isForbidden(key)) return { path: '', what: `an object with the key "${key}"` }
    const field = (value as Record<string, unknown>)[key]
    // Most fields end here, without another call: this runs for every field of every event.
    if (field === undefined || typeof field === 'string') continue
    const fault = faultOf(field, depth + 1)
    if (fault) return { ...fault, path: `.${key}${fault.path}` }
  }
  return undefined
}

/** JSON.stringify is silent about what it cannot hold (NaN becomes null, a Map {}); a bill must not be. */
function faultOf(value: unknown, depth: number): Fault | undefined {
  switch (typeof value) {
    case 'string':
    case 'boolean':
      return undefined
    case 'number':
      return Number.isFinite(value) ? undefined : { path: '', what: String(value) }
    case 'object':
      return value === null ? undefined : faultIn(value, depth)
    default:
      return { path: '', what: value === undefined ? 'undefined' : `a ${typeof value}` }
  }
}

/** The data, known to be JSON. */
function checkedJson(meter: Meter, data: unknown): unknown {
  const fault = faultOf(data, 0)
  if (!fault) return data
  const path = `data${fault.path}`
  throw refusal(meter, 'not_json', `: ${path} is ${fault.what}, which JSON cannot hold. Convert it before record().`, {
    path,
  })
}

/**
 * An event's data after the meter's schema, known to be JSON.
 * @throws MetertapError `invalid_data`, `async_schema` or `not_json`.
 */
export function validateData(meter: Meter, data: unknown): unknown {
  return checkedJson(meter, passed(meter, data))
}

function passed(meter: Meter, data: unknown): unknown {
  const result = meter.schema['~standard'].validate(data)
  if ('then' in result) {
    result.then(undefined, () => {})
    // zod tries a schema that threw once more asynchronously, so this can also mean that one threw.
    const text = ' has a schema that is asynchronous, or throws. Remove async refinements: record() cannot wait.'
    throw refusal(meter, 'async_schema', text)
  }
  if (!result.issues) return result.value
  const issues = result.issues.slice(0, 5).map(({ message, path }) => {
    const keys = (path ?? []).map((part) => String(typeof part === 'object' ? part.key : part))
    return { path: keys.join('.'), message }
  })
  const list = issues.map(({ path, message }) => `${path || 'data'}: ${message}`).join('; ')
  throw refusal(meter, 'invalid_data', ` refused the event. ${list}`, { issues })
}

export interface EncodeOptions extends SizeLimit {
  /** Where the schema is run; 'relay': not here. Default 'record'. */
  readonly validate?: 'record' | 'relay'
}

export interface SizeLimit {
  /** Limit on the text's UTF-8 bytes. */
  readonly maxEventBytes: number
  readonly utf8Length: (text: string) => number
}

/** @throws MetertapError `bad_time` unless atMs is in whole milliseconds since 1970 and a Date can hold it. */
export function checkTime(meter: Meter, atMs: number): void {
  if (Number.isSafeInteger(atMs) && atMs >= 0 && atMs <= MAX_TIME_MS) return
  throw refusal(meter, 'bad_time', ': at must be a Date, or whole ms since 1970.')
}

function checkKey(meter: Meter, key: string | undefined): void {
  if (key === undefined || (typeof key === 'string' && key.length > 0 && key.length <= MAX_KEY_LENGTH)) return
  throw refusal(meter, 'bad_idempotency_key', `: idempotencyKey must be a string of 1 to ${MAX_KEY_LENGTH} characters.`)
}

/**
 * Validates an event once, unless that is the relay's, and serialises it once: the JSON text `["meter", at, data]`, or `["meter", at, data, key]`.
 *
 * @throws MetertapError `invalid_data`, `async_schema`, `not_json`, `bad_time`, `bad_idempotency_key` or
 * `event_too_large`.
 */
export function encodeEvent(
  meter: Meter,
  atMs: number,
  data: unknown,
  options: EncodeOptions,
  /** The caller's own key, 1 to 200 characters: the relay takes one event for each key. */
  key?: string,
): string {
  checkTime(meter, atMs)
  checkKey(meter, key)
  const value = (options.validate === 'relay' ? checkedJson : validateData)(meter, data)
  const text = JSON.stringify(key === undefined ? [meter.name, atMs, value] : [meter.name, atMs, value, key])
  checkSize(meter, text, options)
  return text
}

/** @throws MetertapError `event_too_large` when an event's text is longer than the limit. */
export function checkSize(meter: Meter, text: string, { maxEventBytes, utf8Length }: SizeLimit): void {
  // A UTF-16 unit becomes one to three bytes: most events need no exact count.
  const bytes = text.length * 3 <= maxEventBytes ? 0 : utf8Length(text)
  if (bytes <= maxEventBytes) return
  const message = `: the event has ${bytes} bytes, ${maxEventBytes} at most. Send a reference, not the content.`
  throw refusal(meter, 'event_too_large', message, { bytes, maxEventBytes })
}
