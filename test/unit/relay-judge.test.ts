import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import * as z from 'zod'
import type { Meter } from '../../src/meter/contract.ts'
import { type Judgement, judge } from '../../src/relay/accept/judge.ts'
import { parseBatch } from '../../src/relay/accept/parse-batch.ts'
import { eventsOf } from '../../src/relay/event-pack.ts'
import { rejection } from '../../src/wire/contract.ts'
import { batchOf, calls, goodEvent, NOW_MS, OTHER_STREAM, STREAM } from '../support/relay-fixture.ts'

const limits = {
  maxEventBytes: 200,
  maxDepth: 4,
  maxKeys: 6,
  maxStringChars: 150,
  maxEventAgeMs: 10_000,
  maxEventAheadMs: 5_000,
}
const loose: Meter = { name: 'loose', schema: z.unknown(), options: {} }

/** The judgement, with every event that is good in `events`, by itself. */
async function judgeBatch(
  batch: unknown,
  meters: readonly Meter[] = [calls, loose],
  allowed?: string[],
): Promise<Judgement> {
  const names = meters.map(({ name }) => name)
  const { events, packs, ...rest } = await judge(parseBatch(batch, 100), {
    claims: { tenant: 't', account: 'a', device: 'd', meters: allowed ?? names },
    meters: new Map(meters.map((meter) => [meter.name, meter])),
    limits,
    nowMs: NOW_MS,
  })
  return { events: [...events, ...packs.flatMap(eventsOf)], packs, ...rest }
}

const nested = (depth: number): unknown => (depth === 0 ? 0 : [nested(depth - 1)])

describe('a bad event between two good ones', () => {
  const cases: [code: string, event: unknown][] = [
    ['bad_event', 'text'],
    ['bad_event', null],
    ['bad_event', {}],
    ['bad_event', ['calls', NOW_MS]],
    ['bad_event', [7, NOW_MS, {}]],
    ['unknown_meter', ['other', NOW_MS, {}]],
    ['unknown_meter', ['__proto__', NOW_MS, {}]],
    ['bad_time', ['calls', '2026-01-01', { quantity: 1 }]],
    ['bad_time', ['calls', -1, { quantity: 1 }]],
    ['bad_time', ['calls', NOW_MS - 0.5, { quantity: 1 }]],
    ['bad_time', ['calls', null, { quantity: 1 }]],
    ['too_old', ['calls', NOW_MS - 10_001, { quantity: 1 }]],
    ['too_far_ahead', ['calls', NOW_MS + 5_001, { quantity: 1 }]],
    ['invalid_data', ['calls', NOW_MS, { quantity: 'x' }]],
    ['invalid_data', ['calls', NOW_MS, null]],
    ['bad_event', ['calls', NOW_MS, { quantity: 1 }, 'key', 'more']],
    ['bad_idempotency_key', ['calls', NOW_MS, { quantity: 1 }, '']],
    ['bad_idempotency_key', ['calls', NOW_MS, { quantity: 1 }, null]],
    ['bad_idempotency_key', ['calls', NOW_MS, { quantity: 1 }, 7]],
    ['bad_idempotency_key', ['calls', NOW_MS, { quantity: 1 }, 'x'.repeat(201)]],
    ['bad_idempotency_key', ['calls', NOW_MS, { quantity: 1 }, 'a\ud800b']],
    ['bad_idempotency_key', ['calls', NOW_MS, { quantity: 1 }, 'a\u0000b']],
    ['event_too_large', ['loose', NOW_MS, ['x'.repeat(100), 'x'.repeat(100)]]],
    ['event_too_large', ['loose', NOW_MS, 'ü'.repeat(100)]],
    ['string_too_long', ['loose', NOW_MS, 'x'.repeat(151)]],
    ['string_too_long', ['loose', NOW_MS, [{ a: 'x'.repeat(151) }]]],
    ['string_too_long', ['loose', NOW_MS, { ['x'.repeat(151)]: 1 }]],
    ['too_many_keys', ['loose', NOW_MS, { a: 1, b: { c: 1, d: [{ e: 1 }, { f: 1, g: 1 }] } }]],
    ['too_deep', ['loose', NOW_MS, nested(5)]],
    ['forbidden_key', ['loose', NOW_MS, JSON.parse('{"a":[{"__proto__":{"admin":true}}]}')]],
    ['forbidden_key', ['loose', NOW_MS, { constructor: 1 }]],
    ['forbidden_key', ['loose', NOW_MS, { prototype: 1 }]],
  ]
  test.each(cases)('%s: %j', async (code, event) => {
    const { events, rejected, refused, deferred } = await judgeBatch(batchOf([goodEvent(1), event, goodEvent(2)]))
    expect(events).toEqual([
      { stream: STREAM, seq: 0, meter: 'calls', atMs: NOW_MS - 1000, data: '{"quantity":1}' },
      { stream: STREAM, seq: 2, meter: 'calls', atMs: NOW_MS - 1000, data: '{"quantity":2}' },
    ])
    expect(rejected).toEqual([{ stream: STREAM, seq: 1, code, detail: expect.stringMatching(/\S/) }])
    expect(refused).toEqual([{ stream: STREAM, seq: 1 }])
    expect(deferred).toEqual([])
  })

  test('the limits themselves are allowed', async () => {
    const { events, rejected } = await judgeBatch(
      batchOf([
        ['calls', NOW_MS - 10_000, { quantity: 1 }],
        ['calls', NOW_MS + 5_000, { quantity: 1 }],
        ['loose', NOW_MS, nested(4)],
        [
          'loose',
          NOW_MS,
          ['x'.repeat(150), 'x'.repeat(200 - 150 - JSON.stringify(['loose', NOW_MS, ['', '']]).length)],
        ],
        ['loose', NOW_MS, { a: 1, b: { c: 1, d: [{ e: 1 }, { f: 1 }] } }],
      ]),
    )
    expect(rejected).toEqual([])
    expect(events).toHaveLength(5)
  })

  test('an idempotency key goes with its event', async () => {
    const key = 'order 7 · 🧾'
    const { events } = await judgeBatch(batchOf([[...goodEvent(), key], goodEvent()]))
    expect(events).toEqual([
      expect.objectContaining({ seq: 0, idempotencyKey: key }),
      expect.not.objectContaining({ idempotencyKey: expect.anything() }),
    ])
  })

  test('a meter that the token does not name; an empty list names none', async () => {
    const batch = batchOf([goodEvent(), ['loose', NOW_MS, 1]])
    const some = await judgeBatch(batch, [calls, loose], ['calls'])
    expect(some.events.map(({ seq }) => seq)).toEqual([0])
    expect(some.rejected).toMatchObject([{ seq: 1, code: 'meter_not_allowed' }])
    const none = await judgeBatch(batch, [calls, loose], [])
    expect(none.events).toEqual([])
    expect(none.rejected.map(({ code }) => code)).toEqual(['meter_not_allowed', 'meter_not_allowed'])
  })
})

describe('a bad segment beside a good one', () => {
  const good = { stream: STREAM, first: 0, events: [goodEvent()] }
  const judgeBeside = (segment: Record<string, unknown>): Promise<Judgement> =>
    judgeBatch(batchOf([goodEvent()], { segments: [{ events: [goodEvent(), goodEvent()], ...segment }, good] }))

  const cases: [code: string, stream: unknown, first: unknown, seqs: number[], echo: string][] = [
    ['bad_stream', STREAM.toUpperCase(), 0, [0, 1], STREAM.toUpperCase()],
    ['bad_stream', 7, 0, [0, 1], ''],
    ['bad_stream', 'x'.repeat(5000), 0, [0, 1], 'x'.repeat(64)],
    ['unknown_stream', OTHER_STREAM, 3, [3, 4], OTHER_STREAM],
    ['bad_sequence', STREAM, -1, [-1, -1], STREAM],
    ['bad_sequence', STREAM, 0.5, [0.5, 0.5], STREAM],
    ['bad_sequence', STREAM, 2 ** 53, [2 ** 53, 2 ** 53], STREAM],
    ['bad_sequence', STREAM, Number.POSITIVE_INFINITY, [-1, -1], STREAM],
    ['bad_sequence', STREAM, '0', [-1, -1], STREAM],
    ['bad_sequence', STREAM, null, [-1, -1], STREAM],
    ['sequence_beyond_recorded', STREAM, 1, [1, 2], STREAM],
  ]
  test.each(cases)('%s: %s from %s', async (code, stream, first, seqs, echo) => {
    const { events, rejected, refused } = await judgeBeside({ stream, first })
    expect(events).toMatchObject([{ stream: STREAM, seq: 0 }])
    expect(rejected).toEqual(seqs.map((seq) => ({ stream: echo, seq, code, detail: expect.stringMatching(/\S/) })))
    expect(refused, 'numbers that the stream never gave out are not in its ledger').toEqual([])
    for (const entry of rejected) rejection.parse(JSON.parse(JSON.stringify(entry)))
  })

  test('a segment that runs past what is recorded keeps its good part', async () => {
    const { events, rejected } = await judgeBatch(
      batchOf([], {
        streams: [{ id: STREAM, recorded: 2, dropped: {} }],
        segments: [{ stream: STREAM, first: 1, events: [goodEvent(), goodEvent()] }],
      }),
    )
    expect(events.map(({ seq }) => seq)).toEqual([1])
    expect(rejected).toMatchObject([{ seq: 2, code: 'sequence_beyond_recorded' }])
  })

  test('the highest of two reports of a stream counts', async () => {
    const report = (recorded: number): object => ({ id: STREAM, recorded, dropped: {} })
    const { events } = await judgeBatch(batchOf([goodEvent(), goodEvent()], { streams: [report(2), report(1)] }))
    expect(events).toHaveLength(2)
  })
})

describe('schemas', () => {
  const meterWith = (validate: (value: unknown) => unknown): Meter => ({
    name: 'custom',
    schema: { '~standard': { version: 1, vendor: 'test', validate: validate as never } },
    options: {},
  })
  const event = (data: unknown): unknown => ['custom', NOW_MS, data]

  test('what is stored is the output', async () => {
    const meter = { ...calls, schema: z.object({ quantity: z.number().default(5), unit: z.string().trim() }) } as Meter
    const { events } = await judgeBatch(batchOf([['calls', NOW_MS, { unit: ' GB ', other: 1 }]]), [meter])
    expect(events.map(({ data }) => JSON.parse(data))).toEqual([{ quantity: 5, unit: 'GB' }])
  })

  test('an asynchronous schema is awaited', async () => {
    const even = z.object({ n: z.number().refine(async (n) => n % 2 === 0, 'must be even') })
    const meter: Meter = { name: 'custom', schema: even, options: {} }
    const { events, rejected } = await judgeBatch(batchOf([event({ n: 2 }), event({ n: 3 }), event({ n: 4 })]), [meter])
    expect(events.map(({ seq }) => seq)).toEqual([0, 2])
    expect(rejected).toMatchObject([{ seq: 1, code: 'invalid_data', detail: 'n: must be even' }])
  })

  test.each([
    [
      'throws',
      () => {
        throw new Error('no database')
      },
    ],
    ['rejects', () => Promise.reject(new Error('no database'))],
    ['has an output that is undefined', () => ({ value: undefined })],
    ['has an output that is no JSON', () => ({ value: 1n })],
  ])('a schema that %s defers its events and no others', async (_name, validate) => {
    const { events, rejected, deferred } = await judgeBatch(batchOf([goodEvent(), event(1)]), [
      calls,
      meterWith(validate),
    ])
    expect(events.map(({ seq }) => seq)).toEqual([0])
    expect(rejected).toEqual([])
    expect(deferred).toEqual([{ stream: STREAM, seq: 1, meter: 'custom' }])
  })

  test('details name the place, never the data', async () => {
    const secret = 'alice@example.com'
    const quoting = meterWith((value) => ({
      issues: [
        { message: `Invalid email: received "${(value as { email: string }).email}"`, path: ['email'] },
        { message: `Unrecognized key "${secret}"`, path: [{ key: 'people' }, secret, 0] },
        { message: 'Expected number', path: ['quantity'] },
        { message: 'Fourth', path: [] },
      ],
    }))
    const data = { email: 'bob@example.com', people: { [secret]: ['x'] }, quantity: 'a' }
    const { rejected } = await judgeBatch(batchOf([event(data)]), [quoting])
    expect(rejected[0]?.detail).toBe(
      'email: does not fit the schema; people.[…].0: does not fit the schema; quantity: Expected number; and 1 more',
    )
  })

  test('details keep their length, and find the start of long values', async () => {
    const long = 'account-number-0123456789-and-more'
    const quoting = meterWith(() => ({
      issues: [{ message: `received ${long.slice(0, 20)}…` }, { message: 'm'.repeat(900) }],
    }))
    const { rejected } = await judgeBatch(batchOf([event({ long })]), [quoting])
    expect(rejected[0]?.detail).toMatch(/^data: does not fit the schema; data: m+…$/)
    expect(rejected[0]?.detail).toHaveLength(300)
  })
})

test('whatever an event or a segment is, each event gets one verdict and nothing throws', async () => {
  const anything = fc.oneof(
    fc.jsonValue(),
    fc.tuple(fc.constantFrom('calls', 'loose', 'other'), fc.oneof(fc.integer(), fc.constant(NOW_MS)), fc.jsonValue()),
    fc.constant(goodEvent()),
  )
  const segment = fc.record({
    stream: fc.oneof(fc.constant(STREAM), fc.constant(OTHER_STREAM), fc.jsonValue()),
    first: fc.oneof(fc.nat(5), fc.jsonValue()),
    events: fc.array(anything, { maxLength: 6 }),
  })
  await fc.assert(
    fc.asyncProperty(fc.array(segment, { maxLength: 5 }), async (segments) => {
      const streams = [{ id: STREAM, recorded: 8, dropped: {} }]
      const { events, rejected, deferred, refused } = await judgeBatch(batchOf([], { streams, segments }))
      const sent = segments.reduce((total, { events: list }) => total + list.length, 0)
      expect(events.length + rejected.length + deferred.length).toBe(sent)
      for (const entry of rejected) rejection.parse(JSON.parse(JSON.stringify(entry)))
      for (const { stream, seq } of [...events, ...refused]) {
        expect(stream).toBe(STREAM)
        expect(seq).toBeGreaterThanOrEqual(0)
        expect(seq).toBeLessThan(8)
      }
    }),
    { numRuns: 500 },
  )
})
