import type { RelayLimits } from '../contract.ts'

export type Finding = 'too_deep' | 'forbidden_key' | 'too_many_keys' | 'string_too_long'

export type ShapeLimits = Pick<RelayLimits, 'maxDepth' | 'maxKeys' | 'maxStringChars'>

/** More than any number, literal or mark takes in JSON. */
const SCALAR_BYTES = 32
/** One UTF-16 unit takes six bytes at most: `\\u0000`. */
const UNIT_BYTES = 6

/**
 * Looks through parsed JSON for what must not reach a schema: nesting beyond maxDepth (a scalar has depth 0), too many
 * keys, strings that are too long, and keys that could replace a prototype when a schema copies them. Recursion ends at
 * maxDepth. When there is nothing of that: how many bytes the value's JSON has at the most.
 */
export function inspect(value: unknown, limits: ShapeLimits): Finding | number {
  const looking: Looking = { limits, keysLeft: limits.maxKeys, bytes: 0 }
  return look(looking, value, limits.maxDepth) ?? looking.bytes
}

interface Looking {
  readonly limits: ShapeLimits
  keysLeft: number
  bytes: number
}

// Runs for every value of every event: loops by index, and nothing is made but the list of keys.
function look(looking: Looking, part: unknown, depthLeft: number): Finding | undefined {
  looking.bytes += SCALAR_BYTES
  if (typeof part === 'string') {
    looking.bytes += part.length * UNIT_BYTES
    return part.length > looking.limits.maxStringChars ? 'string_too_long' : undefined
  }
  if (typeof part !== 'object' || part === null) return undefined
  if (depthLeft <= 0) return 'too_deep'
  return Array.isArray(part) ? lookAtList(looking, part, depthLeft - 1) : lookAtObject(looking, part, depthLeft - 1)
}

function lookAtObject(looking: Looking, part: object, depthLeft: number): Finding | undefined {
  const keys = Object.keys(part)
  looking.keysLeft -= keys.length
  if (looking.keysLeft < 0) return 'too_many_keys'
  const finding = lookAtKeys(looking, keys)
  if (finding !== undefined) return finding
  for (let index = 0; index < keys.length; index++) {
    const found = look(looking, (part as Record<string, unknown>)[keys[index] as string], depthLeft)
    if (found !== undefined) return found
  }
  return undefined
}

function lookAtKeys(looking: Looking, keys: readonly string[]): Finding | undefined {
  let isTooLong = false
  for (let index = 0; index < keys.length; index++) {
    const key = keys[index] as string
    if (key === '__proto__' || key === 'constructor' || key === 'prototype') return 'forbidden_key'
    if (key.length > looking.limits.maxStringChars) isTooLong = true
    looking.bytes += key.length * UNIT_BYTES
  }
  return isTooLong ? 'string_too_long' : undefined
}

function lookAtList(looking: Looking, parts: readonly unknown[], depthLeft: number): Finding | undefined {
  for (let index = 0; index < parts.length; index++) {
    const finding = look(looking, parts[index], depthLeft)
    if (finding !== undefined) return finding
  }
  return undefined
}
