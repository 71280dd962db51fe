import type { RelayLimits } from '../contract.ts'

const FORBIDDEN_KEYS = new Set(['__proto__', 'constructor', 'prototype'])

export type Finding = 'too_deep' | 'forbidden_key' | 'too_many_keys' | 'string_too_long'

export type ShapeLimits = Pick<RelayLimits, 'maxDepth' | 'maxKeys' | 'maxStringChars'>

/**
 * Looks through parsed JSON for what must not reach a schema: nesting beyond maxDepth (a scalar has depth 0), too many
 * keys, strings that are too long, and keys that could replace a prototype when a schema copies them. Recursion ends at
 * maxDepth.
 */
export function inspect(value: unknown, { maxDepth, maxKeys, maxStringChars }: ShapeLimits): Finding | undefined {
  let keysLeft = maxKeys

  function look(part: unknown, depthLeft: number): Finding | undefined {
    if (typeof part === 'string') return part.length > maxStringChars ? 'string_too_long' : undefined
    if (typeof part !== 'object' || part === null) return undefined
    if (depthLeft <= 0) return 'too_deep'
    if (Array.isArray(part)) return lookAtAll(part, depthLeft - 1)
    const keys = Object.keys(part)
    keysLeft -= keys.length
    if (keysLeft < 0) return 'too_many_keys'
    return lookAtKeys(keys) ?? lookAtAll(Object.values(part), depthLeft - 1)
  }

  function lookAtKeys(keys: readonly string[]): Finding | undefined {
    if (keys.some((key) => FORBIDDEN_KEYS.has(key))) return 'forbidden_key'
    return keys.some((key) => key.length > maxStringChars) ? 'string_too_long' : undefined
  }

  function lookAtAll(parts: readonly unknown[], depthLeft: number): Finding | undefined {
    for (const part of parts) {
      const finding = look(part, depthLeft)
      if (finding !== undefined) return finding
    }
    return undefined
  }

  return look(value, maxDepth)
}
