import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { problem, wireAnswer } from '../../src/wire/answer-schema.ts'
import { readAnswer, readProblem } from '../../src/wire/read-answer.ts'

const count = fc.nat()
const text = fc.string({ maxLength: 8 })
const range = fc.tuple(count, count)

const answer = fc.record(
  {
    received: fc.dictionary(text, fc.array(range, { maxLength: 3 }), { maxKeys: 3 }),
    rejected: fc.array(fc.record({ stream: text, seq: fc.integer(), code: text, detail: text }), { maxLength: 2 }),
    retry: fc.array(fc.record({ stream: text, from: count, to: count, delayMs: count }), { maxLength: 2 }),
    serverTime: fc.double({ noNaN: true, noDefaultInfinity: true }),
    policy: fc.record(
      { flushIntervalMs: count, maxBatchBytes: count, maxBatchEvents: count, holdMs: count, more: text },
      { requiredKeys: [] },
    ),
    future: text,
  },
  { requiredKeys: ['received', 'rejected', 'retry', 'serverTime'] },
)
const refusal = fc.record({ type: text, title: text, status: fc.integer(), detail: text, code: text })

/** What could stand where something else should. */
const odd = fc.oneof(
  fc.constantFrom<unknown>(null, -1, 0.5, -0, 2 ** 53, 2 ** 53 - 1, 1e300, '', '1', true, [], {}, [[]], [0], [0, 1, 2]),
  fc.constantFrom<unknown>([[0, 1]], [[1, 0]], [['0', 1]], [null], { s: [[0]] }, { s: [[0, 1, 2]] }, { s: null }),
  fc.jsonValue({ maxDepth: 2 }),
)

/** Puts something else, or nothing, at one place of a value: whichever place the path's numbers lead to. */
function mutated(value: unknown, path: readonly number[], instead: unknown, remove: boolean): unknown {
  const [step, ...rest] = path
  if (step === undefined || typeof value !== 'object' || value === null) return instead
  const keys = Object.keys(value)
  if (keys.length === 0) return instead
  const key = keys[step % keys.length] as string
  const copy: Record<string, unknown> = Array.isArray(value) ? ([...value] as never) : { ...value }
  if (rest.length === 0 && remove) delete copy[key]
  else copy[key] = mutated(copy[key], rest, instead, remove)
  return copy
}

const damaged = (whole: fc.Arbitrary<unknown>) =>
  fc
    .tuple(whole, fc.array(fc.nat(9), { minLength: 1, maxLength: 5 }), odd, fc.boolean())
    .map(([value, path, instead, remove]) => mutated(value, path, instead, remove))

/** Only what JSON can say reaches the agent. */
const onTheWire = (value: unknown): unknown => JSON.parse(JSON.stringify(value ?? null))

describe('reading the relay’s answer by hand', () => {
  test.each<[string, fc.Arbitrary<unknown>]>([
    ['whole ones', answer],
    ['ones with one thing wrong', damaged(answer)],
    ['ones with two things wrong', damaged(damaged(answer))],
    ['anything', fc.jsonValue()],
    ['refusals', fc.oneof(refusal, damaged(refusal))],
  ])('takes and refuses what the schemas do: %s', (_, given) => {
    const compare = (raw: unknown) => {
      const value = onTheWire(raw)
      // A stream of this name is checked here, and passed over there.
      fc.pre(!JSON.stringify(value).includes('__proto__'))
      const read = readAnswer(value)
      const { error, data } = wireAnswer.safeParse(value)
      if (typeof read === 'string') expect(error?.issues.map(({ path }) => path.join('.'))).toContain(read)
      else expect(data).toEqual(known(read))
      expect(readProblem(value) !== undefined).toBe(problem.safeParse(value).success)
    }
    fc.assert(fc.property(given, compare), { numRuns: 2_000 })
  })

  test('the same answer comes back, with what is not known today', () => {
    const value = { received: { s: [[0, 4]] }, rejected: [], retry: [], serverTime: 1, future: 1 }
    expect(readAnswer(value)).toBe(value)
  })

  test.each<[string, unknown]>([
    ['', undefined],
    ['', []],
    ['received', {}],
    ['received.s.1', { received: { s: [[0, 1], [0]] } }],
    ['received.s.0.1', { received: { s: [[0, 0.5]] } }],
    ['rejected.0', { received: {}, rejected: ['x'] }],
    ['retry.0.delayMs', { received: {}, rejected: [], retry: [{ stream: 's', from: 0, to: 1, delayMs: -1 }] }],
    ['policy.holdMs', { received: {}, rejected: [], retry: [], serverTime: 1, policy: { holdMs: '1' } }],
  ])('the place of a fault is named: %j', (place, value) => {
    expect(readAnswer(value)).toBe(place)
  })
})

/** Without fields that the schema does not name: it leaves them out. */
function known(read: unknown): unknown {
  const { received, rejected, retry, serverTime, policy } = read as Record<string, unknown>
  const { flushIntervalMs, maxBatchBytes, maxBatchEvents, holdMs } = (policy ?? {}) as Record<string, unknown>
  const wishes = { flushIntervalMs, maxBatchBytes, maxBatchEvents, holdMs }
  return { received, rejected: strip(rejected), retry: strip(retry), serverTime, ...(policy ? { policy: wishes } : {}) }
}

const FIELDS = ['stream', 'seq', 'from', 'to', 'delayMs', 'code', 'detail']

function strip(list: unknown): unknown[] {
  return (list as object[]).map((each) =>
    Object.fromEntries(Object.entries(each).filter(([name]) => FIELDS.includes(name))),
  )
}
