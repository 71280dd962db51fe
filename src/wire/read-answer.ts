import type { Deferral, Policy, Problem, Range, Rejection, WireAnswer } from './answer.ts'

/*
 * By hand, since a page pays for a schema library by the kilobyte and, before its first answer, by the millisecond.
 * test/unit/wire-answer.test.ts holds it against the schemas: what they refuse is refused here.
 */

type Check<T> = (value: unknown) => value is T

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function isText(value: unknown): value is string {
  return typeof value === 'string'
}

function isNumber(value: unknown): value is number {
  return Number.isFinite(value)
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0
}

/** An object with these fields, whatever else it holds. */
function fields<T>(checks: { readonly [Name in keyof T]-?: (value: unknown) => boolean }): Check<T> {
  const all = Object.entries(checks) as [string, (value: unknown) => boolean][]
  return (value): value is T => isObject(value) && all.every(([name, check]) => check(value[name]))
}

function listOf<T>(check: Check<T>): Check<T[]> {
  return (value): value is T[] => Array.isArray(value) && value.every(check)
}

const optional = (check: (value: unknown) => boolean) => (value: unknown) => value === undefined || check(value)

const isRange = (value: unknown): value is Range => Array.isArray(value) && value.length === 2 && value.every(isCount)

const isRanges = /* @__PURE__ */ listOf(isRange)

const isPolicy = /* @__PURE__ */ fields<Policy>({
  flushIntervalMs: optional(isCount),
  maxBatchBytes: optional(isCount),
  maxBatchEvents: optional(isCount),
  holdMs: optional(isCount),
})

const isAnswer = /* @__PURE__ */ fields<WireAnswer>({
  received: (value) => isObject(value) && Object.values(value).every(isRanges),
  rejected: listOf(fields<Rejection>({ stream: isText, seq: isNumber, code: isText, detail: isText })),
  retry: listOf(fields<Deferral>({ stream: isText, from: isCount, to: isCount, delayMs: isCount })),
  serverTime: isNumber,
  policy: optional(isPolicy),
})

const isProblem = /* @__PURE__ */ fields<Problem>({
  type: isText,
  title: isText,
  status: isNumber,
  detail: isText,
  code: isText,
})

/** Parsed JSON as the answer that it is; undefined when it is none of this protocol. */
export function readAnswer(value: unknown): WireAnswer | undefined {
  return isAnswer(value) ? value : undefined
}

/** Parsed JSON as a refusal; undefined when it is none of this protocol. */
export function readProblem(value: unknown): Problem | undefined {
  return isProblem(value) ? value : undefined
}
