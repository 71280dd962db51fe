import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { answerFaults, problem, wireAnswer } from '../../src/wire/answer-schema.ts'
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
      expect(readAnswer(value) !== undefined).toBe(wireAnswer.safeParse(value).success)
      expect(readProblem(value) !== undefined).toBe(problem.safeParse(value).success)
      if (readAnswer(value)) expect(wireAnswer.parse(value)).toEqual(known(readAnswer(value)))
    }
    fc.assert(fc.property(given, compare), { numRuns: 2_000 })
  })

  test('the same answer comes back, with what is not known today', () => {
    const value = { received: { s: [[0, 4]] }, rejected: [], retry: [], serverTime: 1, future: 1 }
    expect(readAnswer(value)).toBe(value)
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

describe('what is wrong with an answer', () => {
  test('is named by its place, three faults at most', () => {
    const faults = answerFaults('{"received":{"s":[[0]]},"rejected":1,"retry":2,"serverTime":"x"}')
    expect(faults).toMatch(/^It does not fit: received\.s\.0/)
    expect(faults?.split('; ')).toHaveLength(3)
  })

  test('is that it is no JSON, or nothing', () => {
    expect(answerFaults('<html>')).toBe('It is no JSON.')
    expect(answerFaults('{"received":{},"rejected":[],"retry":[],"serverTime":1}')).toBeUndefined()
  })
})
