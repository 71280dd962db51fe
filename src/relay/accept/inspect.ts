const FORBIDDEN_KEYS = new Set(['__proto__', 'constructor', 'prototype'])

export type Finding = 'too_deep' | 'forbidden_key'

/**
 * Looks through parsed JSON for what must not reach a schema: nesting beyond maxDepth (a scalar has depth 0), and
 * keys that could replace a prototype when a schema copies them. Recursion ends at maxDepth.
 */
export function inspect(value: unknown, maxDepth: number): Finding | undefined {
  if (typeof value !== 'object' || value === null) return undefined
  if (maxDepth <= 0) return 'too_deep'
  if (Array.isArray(value)) return inspectAll(value, maxDepth - 1)
  const keys = Object.keys(value)
  if (keys.some((key) => FORBIDDEN_KEYS.has(key))) return 'forbidden_key'
  return inspectAll(Object.values(value), maxDepth - 1)
}

function inspectAll(values: readonly unknown[], maxDepth: number): Finding | undefined {
  for (const value of values) {
    const finding = inspect(value, maxDepth)
    if (finding !== undefined) return finding
  }
  return undefined
}
