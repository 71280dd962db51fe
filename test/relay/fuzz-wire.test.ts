import { gzipSync } from 'node:zlib'
import fc from 'fast-check'
import { afterAll, beforeAll, expect, test } from 'vitest'
import * as z from 'zod'
import { type Meter, STREAM_ID } from '../../src/meter/contract.ts'
import type { StoredEvent } from '../../src/relay/store/contract.ts'
import { problem, wireAnswer } from '../../src/wire/contract.ts'
import { NOW_MS, OTHER_STREAM, openTestRelay, route, type TestRelay } from '../support/relay-fixture.ts'

const RUNS = process.env.METERTAP_LONG === undefined ? 400 : 20_000
const schema = z.strictObject({ quantity: z.int().min(1).max(9), tag: z.string().max(5).optional() })
const calls: Meter = { name: 'calls', schema, options: {} }

let relay: TestRelay
let token: string
beforeAll(async () => {
  const limits = {
    ...{ maxWireBytes: 4_096, maxBodyBytes: 8_192, maxEventBytes: 300, maxEventsPerBatch: 40, maxDepth: 4, maxKeys: 8 },
    ...{ devicePerMinute: 1e7, accountPerMinute: 1e7, tenantPerMinute: 1e7, maxValues: 2_000 },
  }
  relay = await openTestRelay({ limits, meters: [route(calls)] })
  token = await relay.token()
})
afterAll(() => relay.close())

/** Everything that was accepted since the last look. */
async function takeStored(): Promise<StoredEvent[]> {
  const stored: StoredEvent[] = []
  const { store } = relay.relay
  for (;;) {
    const claim = { lane: 'calls', owner: 'fuzz', leaseMs: 1, nowMs: NOW_MS, maxEvents: 500 }
    const delivery = await store.openDelivery(claim, (events) => {
      stored.push(...events)
      return { taken: events.length, body: new Uint8Array([0]), rows: events.length, bytes: 1, unmappable: [] }
    })
    if (delivery === undefined) return stored
    await store.acceptDelivery(delivery.id, NOW_MS)
  }
}

async function post(body: Uint8Array, isGzip: boolean): Promise<void> {
  const headers = {
    Authorization: `Bearer ${token}`,
    'Content-Type': 'application/json',
    ...(isGzip ? { 'Content-Encoding': 'gzip' } : {}),
  }
  const init = { method: 'POST', headers, body: body as Uint8Array<ArrayBuffer> }
  const response = await relay.request('/v1/events', init)
  const reply = await response.json()
  if (response.status === 200) wireAnswer.parse(reply)
  else expect(problem.parse(reply).status, JSON.stringify(reply)).toBe(response.status)
  expect([200, 400, 413]).toContain(response.status)
}

function checkStored(events: readonly StoredEvent[]): void {
  for (const { account, device, stream, seq, atMs, data } of events) {
    expect([account, device]).toEqual(['acme', 'laptop'])
    expect(stream).toMatch(STREAM_ID)
    expect(Number.isSafeInteger(seq) && seq >= 0).toBe(true)
    expect(Math.abs(atMs - NOW_MS)).toBeLessThanOrEqual(60 * 86_400_000)
    expect(schema.safeParse(JSON.parse(data)).success, data).toBe(true)
  }
}

const json = fc.jsonValue({ maxDepth: 6 })
const near = fc.oneof(fc.constant(NOW_MS), fc.integer({ min: NOW_MS - 1e6, max: NOW_MS + 1e6 }), fc.double(), json)
const data = fc.oneof(fc.record({ quantity: fc.integer({ min: -1, max: 11 }) }), json)
const event = fc.oneof(
  { weight: 4, arbitrary: fc.tuple(fc.constantFrom('calls', 'calls', 'other', '__proto__'), near, data) },
  { weight: 2, arbitrary: fc.tuple(fc.constant('calls'), fc.constant(NOW_MS), data, fc.oneof(fc.string(), json)) },
  { weight: 1, arbitrary: json },
)
/** Mostly the one, at times the other. */
const mostly = <T>(usual: fc.Arbitrary<T>, odd: fc.Arbitrary<unknown>): fc.Arbitrary<unknown> =>
  fc.oneof({ weight: 19, arbitrary: usual }, { weight: 1, arbitrary: odd })

const number = fc.oneof({ weight: 8, arbitrary: fc.nat(30) }, { weight: 1, arbitrary: fc.maxSafeNat() })

/** A batch of streams of its own, most of it as it should be. */
const batch = fc.uuid({ version: 7 }).chain((id) => {
  const stream = mostly(fc.constantFrom(id, OTHER_STREAM), json)
  return fc.record(
    {
      v: mostly(fc.constant(1), json),
      sentAt: mostly(fc.integer(), json),
      device: mostly(fc.string(), json),
      clock: mostly(fc.constant({ offsetMs: 1, uncertaintyMs: 2, monotonicMs: 3 }), json),
      streams: fc.array(
        fc.record({
          id: mostly(fc.constantFrom(id, OTHER_STREAM), fc.string()),
          recorded: mostly(number, json),
          dropped: mostly(fc.dictionary(fc.string(), number, { maxKeys: 3 }), json),
        }),
        { maxLength: 3 },
      ),
      segments: fc.array(
        fc.record({ stream, first: mostly(number, json), events: fc.array(event, { maxLength: 8 }) }),
        { maxLength: 4 },
      ),
    },
    { requiredKeys: ['v', 'sentAt', 'device', 'streams', 'segments'] },
  )
})

/** Bytes of a batch, some of them changed, cut or doubled. */
const mutated = fc
  .tuple(batch, fc.array(fc.tuple(fc.nat(), fc.nat(255)), { maxLength: 4 }), fc.option(fc.nat()), fc.boolean())
  .map(([value, changes, cut, isGzip]) => {
    const plain = new TextEncoder().encode(JSON.stringify(value))
    const bytes = isGzip ? new Uint8Array(gzipSync(plain)) : plain
    for (const [at, to] of changes) bytes[at % bytes.length] = to
    return { bytes: cut === null ? bytes : bytes.subarray(0, cut % (bytes.length + 1)), isGzip }
  })

async function settleRun(): Promise<void> {
  checkStored(await takeStored())
  expect(relay.log, 'no crash, no 500').toEqual([])
}

test('batches of any shape', async () => {
  const property = fc.asyncProperty(batch, async (value) => {
    await post(new TextEncoder().encode(JSON.stringify(value)), false)
    await settleRun()
  })
  await fc.assert(property, { numRuns: RUNS })
  const { received } = await relay.relay.store.totals()
  expect(received, 'some of it was good').toBeGreaterThan(RUNS / 20)
})

test('batches with changed, cut and doubled bytes, plain and gzip', async () => {
  const property = fc.asyncProperty(mutated, async ({ bytes, isGzip }) => {
    await post(bytes, isGzip)
    await settleRun()
  })
  await fc.assert(property, { numRuns: RUNS })
})

test('bytes of any kind, and JSON of any kind', async () => {
  const bytes = fc.oneof(
    fc.uint8Array({ maxLength: 5_000 }),
    fc.json({ maxDepth: 8 }).map((text) => new TextEncoder().encode(text)),
    fc.json().map((text) => new Uint8Array(gzipSync(text))),
  )
  await fc.assert(
    fc.asyncProperty(bytes, fc.boolean(), async (body, isGzip) => {
      await post(body, isGzip)
      await settleRun()
    }),
    { numRuns: RUNS },
  )
})

test('tokens of any kind let nobody in', async () => {
  const parts = fc.array(fc.oneof(fc.base64String(), fc.string(), fc.constantFrom(...token.split('.'))), {
    maxLength: 4,
  })
  await fc.assert(
    fc.asyncProperty(parts, async (list) => {
      const forged = list.join('.')
      fc.pre(forged !== token && /^[\x21-\x7e]*$/.test(forged))
      const headers = { Authorization: `Bearer ${forged}`, 'Content-Type': 'application/json' }
      const response = await relay.request('/v1/events', { method: 'POST', headers, body: '{}' })
      expect(response.status).toBe(401)
      expect(relay.log).toEqual([])
    }),
    { numRuns: RUNS },
  )
})
