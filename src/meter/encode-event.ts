import { MetertapError } from '../wire/errors.ts'
import type { Meter } from './contract.ts'

const MAX_DEPTH = 32

function refuse(meter: string, path: string, what: string): never {
  const text = `Meter "${meter}": ${path} is ${what}, which JSON cannot hold. Convert it before record().`
  throw new MetertapError('not_json', text, { meter, path })
}

function isPlain(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value)
  return prototype === null || prototype === Object.prototype || Object.getPrototypeOf(prototype) === null
}

function checkObject(meter: string, value: object, path: string, depth: number): void {
  if (depth > MAX_DEPTH) refuse(meter, path, `nested more than ${MAX_DEPTH} deep or refers to itself`)
  if (Array.isArray(value)) {
    for (let i = 0; i < value.length; i++) checkJson(meter, value[i], `${path}[${i}]`, depth + 1)
    return
  }
  if (typeof (value as { toJSON?: unknown }).toJSON === 'function') return
  if (!isPlain(value)) refuse(meter, path, `a ${value.constructor?.name ?? 'special object'}`)
  for (const key of Object.keys(value)) {
    if (key === '__proto__') refuse(meter, path, 'an object with the key "__proto__"')
    const field = (value as Record<string, unknown>)[key]
    if (field !== undefined) checkJson(meter, field, `${path}.${key}`, depth + 1)
  }
}

/** JSON.stringify is silent about what it cannot hold (NaN becomes null, a Map {}); a bill must not be. */
function checkJson(meter: string, value: unknown, path: string, depth: number): void {
  switch (typeof value) {
    case 'string':
    case 'boolean':
      return
    case 'number':
      if (!Number.isFinite(value)) refuse(meter, path, String(value))
      return
    case 'object':
      if (value !== null) checkObject(meter, value, path, depth)
      return
    default:
      refuse(meter, path, value === undefined ? 'undefined' : `a ${typeof value}`)
  }
}

/** An event's data after the meter's schema. */
function validate(meter: Meter, data: unknown): unknown {
  const result = meter.schema['~standard'].validate(data)
  if (result instanceof Promise) {
    result.catch(() => {})
    const text = `Meter "${meter.name}" has an asynchronous schema, but record() is synchronous. Remove async refinements.`
    throw new MetertapError('async_schema', text, { meter: meter.name })
  }
  if (!result.issues) return result.value
  const issues = result.issues.slice(0, 5).map(({ message, path }) => {
    const keys = (path ?? []).map((part) => String(typeof part === 'object' ? part.key : part))
    return { path: keys.join('.'), message }
  })
  const list = issues.map(({ path, message }) => `${path || 'data'}: ${message}`).join('; ')
  throw new MetertapError('invalid_data', `Meter "${meter.name}" refused the event. ${list}`, {
    meter: meter.name,
    issues,
  })
}

/**
 * Validates an event once and serialises it once: the JSON text `["meter", at, data]`.
 *
 * @throws MetertapError `invalid_data`, `async_schema`, `not_json`, `bad_time` or `event_too_large`.
 */
export function encodeEvent(meter: Meter, atMs: number, data: unknown, maxEventBytes: number): string {
  if (!Number.isSafeInteger(atMs) || atMs < 0) {
    const text = `Meter "${meter.name}": the event's time is not a valid date. Give a Date, or milliseconds since 1970.`
    throw new MetertapError('bad_time', text, { meter: meter.name })
  }
  const value = validate(meter, data)
  checkJson(meter.name, value, 'data', 0)
  const text = JSON.stringify([meter.name, atMs, value])
  // UTF-8 is never shorter than UTF-16 units, so this is a lower bound; the relay's cap is on bytes.
  if (text.length > maxEventBytes) {
    const message = `Meter "${meter.name}": the event is ${text.length} bytes long, over the limit of ${maxEventBytes}. Send a reference instead of the content.`
    throw new MetertapError('event_too_large', message, { meter: meter.name, bytes: text.length, maxEventBytes })
  }
  return text
}
