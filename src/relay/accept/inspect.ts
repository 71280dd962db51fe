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

// Runs for every value of every event: nothing is made here, not even a list of keys. What JSON.parse gives has no
// enumerable key but its own, so for … in sees those alone.
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
  const finding = lookAtKeys(looking, part)
  if (finding !== undefined) return finding
  for (const key in part) {
    const found = look(looking, (part as Record<string, unknown>)[key], depthLeft)
    if (found !== undefined) return found
  }
  return undefined
}

function lookAtKeys(looking: Looking, part: object): Finding | undefined {
  const { maxStringChars } = looking.limits
  let isForbidden = false
  let isTooLong = false
  for (const key in part) {
    looking.keysLeft--
    if (key === '__proto__' || key === 'constructor' || key === 'prototype') isForbidden = true
    if (key.length > maxStringChars) isTooLong = true
    looking.bytes += key.length * UNIT_BYTES
  }
  if (looking.keysLeft < 0) return 'too_many_keys'
  if (isForbidden) return 'forbidden_key'
  return isTooLong ? 'string_too_long' : undefined
}

function lookAtList(looking: Looking, parts: readonly unknown[], depthLeft: number): Finding | undefined {
  for (let index = 0; index < parts.length; index++) {
    const finding = look(looking, parts[index], depthLeft)
    if (finding !== undefined) return finding
  }
  return undefined
}
