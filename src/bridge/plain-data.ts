import { MetertapError } from '../wire/errors.ts'

/** Deeper than any message. */
const MAX_DEPTH = 8
const MAX_NODES = 400_000
/** What a number, a key's quotes and the like cost, about. */
const NODE_BYTES = 8
const FORBIDDEN_KEYS: ReadonlySet<string> = new Set(['__proto__', 'constructor', 'prototype'])

/**
 * About how many bytes a value from another process has. Walks without recursion, and stops as soon as it is too much.
 * @throws MetertapError `bad_message` for what is no plain data, or more than `maxBytes`.
 */
export function measurePlainData(value: unknown, maxBytes: number): number {
  const open: { readonly value: unknown; readonly depth: number }[] = [{ value, depth: 0 }]
  let bytes = 0
  let nodes = 0
  for (let next = open.pop(); next; next = open.pop()) {
    const { value, depth } = next
    bytes += NODE_BYTES + (typeof value === 'string' ? value.length : 0)
    if (bytes > maxBytes) throw bad(`It is longer than ${maxBytes} bytes.`)
    if (++nodes > MAX_NODES) throw bad(`It has more than ${MAX_NODES} parts.`)
    if (depth > MAX_DEPTH) throw bad('It is nested too deep.')
    for (const child of childrenOf(value)) open.push({ value: child, depth: depth + 1 })
  }
  return bytes
}

export function bad(what: string): MetertapError {
  return new MetertapError('bad_message', `The main process refused a message: ${what}`)
}

function childrenOf(value: unknown): readonly unknown[] {
  if (value === null || typeof value !== 'object') {
    if (typeof value === 'function' || typeof value === 'symbol' || typeof value === 'bigint') throw notPlain()
    return []
  }
  if (Array.isArray(value)) {
    // A list with holes can claim to be as long as it likes.
    if (value.length > MAX_NODES) throw bad('It has too long a list.')
    return value
  }
  const prototype: unknown = Object.getPrototypeOf(value)
  if (prototype !== Object.prototype && prototype !== null) throw notPlain()
  const keys = Object.keys(value)
  if (keys.length > MAX_NODES) throw bad('It has too many fields.')
  if (keys.some((key) => FORBIDDEN_KEYS.has(key) || key.length > 200)) throw bad('It has a field of a forbidden name.')
  return Object.values(value)
}

function notPlain(): MetertapError {
  return bad('It is not plain data.')
}
