import type { Deferral, Policy, Problem, Rejection, WireAnswer } from './answer.ts'

/*
 * By hand, since a page pays for a schema library by the kilobyte and, before its first answer, by the millisecond.
 * test/unit/wire-answer.test.ts holds it against the schemas: what they refuse is refused here, for the same place.
 */

/** Where a value is wrong, such as `.s.0.1`; '' for the value itself, undefined for one that is right. */
type Check = (value: unknown) => string | undefined

type Fields = Readonly<Record<string, unknown>>

function isObject(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

const when = (isRight: boolean): string | undefined => (isRight ? undefined : '')

const text: Check = (value) => when(typeof value === 'string')

const number: Check = (value) => when(Number.isFinite(value))

const count: Check = (value) => when(Number.isSafeInteger(value) && (value as number) >= 0)

const optional =
  (check: Check): Check =>
  (value) =>
    value === undefined ? value : check(value)

/** The first fault of these fields. */
function faultOf(names: readonly string[], value: Fields, check: (name: string) => Check): string | undefined {
  for (const name of names) {
    const fault = check(name)(value[name])
    if (fault !== undefined) return `.${name}${fault}`
  }
  return undefined
}

/** An object with these fields, whatever else it holds. */
function fields<T>(checks: { readonly [Name in keyof T]-?: Check }): Check {
  const names = Object.keys(checks)
  return (value) => (isObject(value) ? faultOf(names, value, (name) => checks[name as keyof T]) : '')
}

const each =
  (check: Check, isOne: (value: unknown) => boolean): Check =>
  (value) =>
    isOne(value) ? faultOf(Object.keys(value as object), value as Fields, () => check) : ''

const listOf = (check: Check): Check => each(check, Array.isArray)

const range = /* @__PURE__ */ each(count, (value) => Array.isArray(value) && value.length === 2)

const answer = /* @__PURE__ */ fields<WireAnswer>({
  received: each(listOf(range), isObject),
  rejected: listOf(fields<Rejection>({ stream: text, seq: number, code: text, detail: text })),
  retry: listOf(fields<Deferral>({ stream: text, from: count, to: count, delayMs: count })),
  serverTime: number,
  policy: optional(
    fields<Policy>({
      flushIntervalMs: optional(count),
      maxBatchBytes: optional(count),
      maxBatchEvents: optional(count),
      holdMs: optional(count),
    }),
  ),
})

const problem = /* @__PURE__ */ fields<Problem>({ type: text, title: text, status: number, detail: text, code: text })

/** Parsed JSON as the answer that it is; where it is none of this protocol, the place of its first fault. */
export function readAnswer(value: unknown): WireAnswer | string {
  return answer(value)?.slice(1) ?? (value as WireAnswer)
}

/** Parsed JSON as a refusal; undefined when it is none of this protocol. */
export function readProblem(value: unknown): Problem | undefined {
  return problem(value) === undefined ? (value as Problem) : undefined
}
