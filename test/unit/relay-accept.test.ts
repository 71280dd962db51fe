import { afterEach, describe, expect, test } from 'vitest'
import type { Meter } from '../../src/meter/contract.ts'
import type { RelayStore } from '../../src/relay/store/contract.ts'
import type { RelayConfig, RelayDeps } from '../../src/relay.ts'
import {
  batchOf,
  calls,
  goodEvent,
  NOW_MS,
  OTHER_STREAM,
  openTestRelay,
  readAnswer,
  readProblem,
  route,
  STREAM,
  type TestRelay,
} from '../support/relay-fixture.ts'

const open: TestRelay[] = []
afterEach(async () => {
  for (const relay of open.splice(0)) await relay.close()
})

async function openRelay(config?: Partial<RelayConfig>, deps?: Partial<RelayDeps>): Promise<TestRelay> {
  const relay = await openTestRelay(config, deps)
  open.push(relay)
  return relay
}

async function storedEvents({ relay }: TestRelay, lane = 'calls'): Promise<unknown[]> {
  const stored: unknown[] = []
  await relay.store.openDelivery({ lane, owner: 'test', leaseMs: 1, nowMs: NOW_MS, maxEvents: 100 }, (events) => {
    stored.push(...events)
    return { taken: events.length, body: new Uint8Array(), rows: events.length, bytes: 0, unmappable: [] }
  })
  return stored
}

/** A schema of which a test decides what it does. */
function moody(): { meter: Meter; mood: { throws: boolean; accepts: boolean } } {
  const mood = { throws: false, accepts: true }
  const validate = (value: unknown): { value: unknown } | { issues: { message: string }[] } => {
    if (mood.throws) throw new Error('down')
    return mood.accepts ? { value } : { issues: [{ message: 'no' }] }
  }
  const schema = { '~standard': { version: 1, vendor: 'test', validate } } as Meter['schema']
  return { meter: { name: 'moody', schema, options: {} }, mood }
}

describe('POST /v1/events', () => {
  test('stores good events under the token’s account and answers what is held', async () => {
    const relay = await openRelay()
    const answer = await readAnswer(
      await relay.send(batchOf([goodEvent(1), goodEvent(2)], { device: 'claimed', account: 'evil' })),
    )
    expect(answer).toEqual({ received: { [STREAM]: [[0, 1]] }, rejected: [], retry: [], serverTime: NOW_MS })
    expect(await storedEvents(relay)).toMatchObject([
      {
        tenant: 'default',
        account: 'acme',
        device: 'laptop',
        stream: STREAM,
        seq: 0,
        data: '{"quantity":1}',
        receivedAtMs: NOW_MS,
      },
      { account: 'acme', seq: 1, data: '{"quantity":2}' },
    ])
    expect(relay.woken).toEqual(['calls'])
  })

  test('a bad event costs nothing but itself, and the ledger says so', async () => {
    const relay = await openRelay()
    const answer = await readAnswer(
      await relay.send(batchOf([goodEvent(), ['calls', NOW_MS, { quantity: 0 }], goodEvent()])),
    )
    expect(answer.received).toEqual({
      [STREAM]: [
        [0, 0],
        [2, 2],
      ],
    })
    expect(answer.rejected).toMatchObject([{ stream: STREAM, seq: 1, code: 'invalid_data' }])
    expect(await relay.relay.store.ledger()).toMatchObject([{ recorded: 3, received: 2, rejected: 1, missing: 0 }])
  })

  test('the same batch again changes nothing and wakes nobody', async () => {
    const relay = await openRelay()
    const batch = batchOf([goodEvent(), goodEvent()])
    const first = await readAnswer(await relay.send(batch))
    expect(await readAnswer(await relay.send(batch))).toEqual(first)
    expect(await relay.relay.store.totals()).toMatchObject({ received: 2 })
    expect(relay.woken).toEqual(['calls'])
  })

  test('what is held is never called rejected: its answer may have been lost, and now it is too old', async () => {
    const relay = await openRelay()
    const old = batchOf([goodEvent()])
    await readAnswer(await relay.send(old))
    relay.clock.nowMs += 61 * 86_400_000
    const answer = await readAnswer(await relay.send({ ...old, streams: [{ id: STREAM, recorded: 1, dropped: {} }] }))
    expect(answer).toMatchObject({ received: { [STREAM]: [[0, 0]] }, rejected: [] })
    expect(await relay.relay.store.ledger()).toMatchObject([{ received: 1, rejected: 0 }])
  })

  test('a schema that fails gets its events again, and the log says which meter', async () => {
    const { meter, mood } = moody()
    const relay = await openRelay({ meters: [route(calls), route(meter)] })
    const event = ['moody', NOW_MS, 'private']
    const batch = batchOf([event, goodEvent(), event, event])
    mood.throws = true
    const answer = await readAnswer(await relay.send(batch))
    expect(answer.received).toEqual({ [STREAM]: [[1, 1]] })
    expect(answer.rejected).toEqual([])
    expect(answer.retry).toEqual([
      { stream: STREAM, from: 0, to: 0, delayMs: 60_000 },
      { stream: STREAM, from: 2, to: 3, delayMs: 60_000 },
    ])
    expect(relay.log).toMatchObject([
      { level: 'error', event: 'schema_failed', fields: { meters: ['moody'], events: 3 } },
    ])
    expect(JSON.stringify(relay.log)).not.toContain('private')
    mood.throws = false
    expect((await readAnswer(await relay.send(batch))).received).toEqual({ [STREAM]: [[0, 3]] })
    mood.throws = true
    expect((await readAnswer(await relay.send(batch))).retry, 'what is held is not asked for again').toEqual([])
  })

  test('a report without events is counted; a bad stream’s report is left out', async () => {
    const relay = await openRelay()
    const streams = [
      { id: STREAM, recorded: 4, dropped: { quota: 3 }, refused: { invalid_data: 2 } },
      { id: 'no-uuid', recorded: 4, dropped: {} },
    ]
    const answer = await readAnswer(await relay.send(batchOf([], { streams, segments: [] })))
    expect(answer.received).toEqual({ [STREAM]: [] })
    expect(await relay.relay.store.ledger()).toMatchObject([
      { stream: STREAM, recorded: 4, declared: { quota: 3 }, refused: { invalid_data: 2 }, missing: 1 },
    ])
  })

  test('gaps are visible and can be filled', async () => {
    const relay = await openRelay()
    const streams = [{ id: STREAM, recorded: 10, dropped: {} }]
    const from = (first: number): Record<string, unknown> =>
      batchOf([], { streams, segments: [{ stream: STREAM, first, events: [goodEvent(), goodEvent()] }] })
    await relay.send(from(0))
    expect((await readAnswer(await relay.send(from(4)))).received).toEqual({
      [STREAM]: [
        [0, 1],
        [4, 5],
      ],
    })
    expect(await relay.relay.store.ledger()).toMatchObject([{ received: 4, missing: 6 }])
    expect((await readAnswer(await relay.send(from(2)))).received).toEqual({ [STREAM]: [[0, 5]] })
  })

  test('numbers beyond what is recorded, and unknown streams, never reach the ledger', async () => {
    const relay = await openRelay()
    const segments = [
      { stream: STREAM, first: 0, events: [goodEvent(), goodEvent()] },
      { stream: OTHER_STREAM, first: 0, events: [goodEvent()] },
    ]
    const streams = [{ id: STREAM, recorded: 1, dropped: {} }]
    const answer = await readAnswer(await relay.send(batchOf([], { streams, segments })))
    expect(answer.rejected.map(({ code }) => code)).toEqual(['sequence_beyond_recorded', 'unknown_stream'])
    expect(await relay.relay.store.ledger()).toMatchObject([{ stream: STREAM, recorded: 1, received: 1, rejected: 0 }])
  })

  test('the store’s own refusals are in the answer', async () => {
    const refusal = { stream: STREAM, seq: 1, code: 'too_many_gaps', detail: 'fill them first' }
    const store = {
      secret: async (_name: string, create: () => Promise<string>) => await create(),
      useNonce: async () => true,
      revokedBefore: async () => 0,
      backlog: async () => [],
      accept: async () => ({ received: { [STREAM]: [[0, 0]] }, stored: 1, duplicates: 0, rejected: [refusal] }),
      close: async () => {},
    } as unknown as RelayStore
    const relay = await openRelay({}, { openStore: () => store })
    expect(await readAnswer(await relay.send(batchOf([goodEvent(), goodEvent()])))).toMatchObject({
      received: { [STREAM]: [[0, 0]] },
      rejected: [refusal],
    })
  })

  test('a store that fails acknowledges nothing: 503 with Retry-After', async () => {
    const relay = await openRelay()
    const token = await relay.token()
    const grant = await relay.grant()
    await relay.relay.store.close()
    const response = await relay.send(batchOf([goodEvent()]), token)
    expect(response.headers.get('retry-after')).toBe('5')
    expect(await readProblem(response)).toMatchObject({ status: 503, code: 'unavailable' })
    expect(relay.woken).toEqual([])
    expect(relay.log).toMatchObject([{ level: 'error', event: 'store_failed' }])
    const headers = { 'Content-Type': 'application/json' }
    const swap = await relay.request('/v1/token', { method: 'POST', headers, body: JSON.stringify({ grant }) })
    expect(await readProblem(swap)).toMatchObject({ code: 'unavailable' })
    expect(await readProblem(await relay.request('/readyz'))).toMatchObject({ code: 'unavailable' })
    expect((await relay.request('/livez')).status).toBe(200)
  })
})

describe('POST /v1/exit', () => {
  const post = (relay: TestRelay, body: unknown, type = 'text/plain;charset=UTF-8'): Promise<Response> =>
    relay.request('/v1/exit', { method: 'POST', headers: { 'Content-Type': type }, body: JSON.stringify(body) })

  test('takes the token from the body and treats the batch as any other', async () => {
    const relay = await openRelay()
    const answer = await readAnswer(await post(relay, { ...batchOf([goodEvent(), 'bad']), token: await relay.token() }))
    expect(answer).toMatchObject({ received: { [STREAM]: [[0, 0]] }, rejected: [{ seq: 1, code: 'bad_event' }] })
    expect(await storedEvents(relay)).toMatchObject([{ account: 'acme', seq: 0 }])
  })

  test.each([
    ['no token', undefined],
    ['a token that is no text', 7],
    ['a forged token', 'a.b.c'],
  ])('%s: unauthorized', async (_name, token) => {
    const relay = await openRelay()
    expect(await readProblem(await post(relay, { ...batchOf([goodEvent()]), token }))).toMatchObject({
      code: 'unauthorized',
    })
    expect(await readProblem(await post(relay, null))).toMatchObject({ code: 'unauthorized' })
  })

  test('refuses JSON’s content type and more than any browser sends at exit', async () => {
    const relay = await openRelay()
    expect(await readProblem(await post(relay, {}, 'application/json'))).toMatchObject({
      code: 'unsupported_media_type',
    })
    expect(await readProblem(await post(relay, 'x'.repeat(65_536)))).toMatchObject({ code: 'body_too_large' })
  })
})
