import { Validator } from '@seriousme/openapi-schema-validator'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import type { LaneStats } from '../../src/relay/forward/contract.ts'
import { openApi } from '../../src/relay/operate/openapi.ts'
import {
  ADMIN_KEY,
  batchOf,
  goodEvent,
  NOW_MS,
  openTestRelay,
  readAnswer,
  readProblem,
  STREAM,
  type TestRelay,
} from '../support/relay-fixture.ts'

let relay: TestRelay
beforeEach(async () => {
  relay = await openTestRelay({ admin: { key: ADMIN_KEY } })
})
afterEach(() => relay.close())

interface Reply {
  readonly status: number
  readonly body: Record<string, unknown>
}

async function admin(method: string, path: string, body?: unknown): Promise<Reply> {
  const headers = { Authorization: `Bearer ${ADMIN_KEY}`, 'Content-Type': 'application/json' }
  const init = { method, headers, ...(body === undefined ? {} : { body: JSON.stringify(body) }) }
  const response = await relay.adminRequest(path, init)
  return { status: response.status, body: (await response.json()) as Record<string, unknown> }
}

/** Sends events and lets the upstream refuse them all. */
async function bury(...quantities: number[]): Promise<void> {
  await readAnswer(await relay.send(batchOf(quantities.map((quantity) => goodEvent(quantity)))))
  const { store } = relay.relay
  const claim = { lane: 'calls', owner: 'test', leaseMs: 1, nowMs: NOW_MS, maxEvents: 2_000 }
  const delivery = await store.openDelivery(claim, ({ length }) => ({
    ...{ taken: length, body: new Uint8Array(), rows: length, bytes: 0, unmappable: [] },
  }))
  await store.buryDelivery(delivery?.id ?? '', '53100320', 'bad row', NOW_MS)
}

describe('dead letters', () => {
  test('are listed, newest first, with their data as JSON; by meter and account; page by page', async () => {
    await bury(1, 2, 3)
    const { body } = await admin('GET', '/v1/dead-letters')
    const letters = body.deadLetters as { id: number; seq: number }[]
    expect(letters).toMatchObject([
      { stream: STREAM, seq: 2, data: { quantity: 3 }, code: '53100320', detail: 'bad row' },
      { seq: 1, data: { quantity: 2 } },
      { seq: 0, data: { quantity: 1 } },
    ])
    const count = async (query: string): Promise<number> =>
      ((await admin('GET', `/v1/dead-letters?${query}`)).body.deadLetters as unknown[]).length
    expect(await count('limit=2')).toBe(2)
    expect(await count(`before=${letters[1]?.id}`)).toBe(1)
    expect(await count('meter=storage')).toBe(0)
    expect(await count('account=acme')).toBe(3)
    expect(await count('account=other')).toBe(0)
    for (const query of ['limit=0', 'limit=x', 'limit=1e3', 'limit=-1', 'before=0']) {
      expect(await admin('GET', `/v1/dead-letters?${query}`), query).toMatchObject({ status: 400 })
    }
  })

  test('are exported one to a line, all of them', async () => {
    await bury(...Array.from({ length: 1_201 }, (_, index) => index + 1))
    const headers = { Authorization: `Bearer ${ADMIN_KEY}`, Accept: 'application/x-ndjson' }
    const response = await relay.adminRequest('/v1/dead-letters', { headers })
    expect(response.headers.get('content-type')).toBe('application/x-ndjson')
    const lines = (await response.text()).split('\n')
    expect(lines.pop()).toBe('')
    const seqs = lines.map((line) => (JSON.parse(line) as { seq: number }).seq)
    expect(seqs).toEqual(Array.from({ length: 1_201 }, (_, index) => 1_200 - index))
  })

  test('are edited under the meter’s schema and replayed under the same id', async () => {
    await bury(1, 2)
    const [letter] = (await admin('GET', '/v1/dead-letters?limit=1')).body.deadLetters as { id: number }[]
    const path = `/v1/dead-letters/${letter?.id}`
    for (const data of [{ quantity: 0 }, { quantity: 'many' }, null, { quantity: 1, constructor: 1 }]) {
      expect(await admin('PATCH', path, { data })).toMatchObject({ status: 400, body: { code: 'invalid_request' } })
    }
    expect(await admin('PATCH', path, { data: { quantity: 20 } })).toMatchObject({
      ...{ status: 200, body: { deadLetter: { id: letter?.id, seq: 1, data: { quantity: 20 } } } },
    })
    expect(await admin('POST', '/v1/dead-letters/replay', { ids: [letter?.id, letter?.id, 999] })).toEqual({
      ...{ status: 200, body: { replayed: 1 } },
    })
    expect(relay.woken.at(-1)).toBe('calls')
    expect(await admin('PATCH', path, { data: { quantity: 1 } })).toMatchObject({ status: 404 })
    const claim = { lane: 'calls', owner: 'test', leaseMs: 1, nowMs: NOW_MS, maxEvents: 100 }
    const offered: unknown[] = []
    await relay.relay.store.openDelivery(claim, (events) => {
      offered.push(...events)
      return { taken: events.length, body: new Uint8Array(), rows: events.length, bytes: 0, unmappable: [] }
    })
    expect(offered).toMatchObject([{ account: 'acme', stream: STREAM, seq: 1, data: '{"quantity":20}' }])
    expect((await admin('GET', '/v1/ledger')).body).toMatchObject({ totals: { received: 2, dead: 1, forwarded: 0 } })
  })

  test('are deleted, and the ledger says so', async () => {
    await bury(1, 2)
    const [letter] = (await admin('GET', '/v1/dead-letters?limit=1')).body.deadLetters as { id: number }[]
    expect((await admin('POST', '/v1/dead-letters/delete', { ids: [letter?.id] })).body).toEqual({ deleted: 1 })
    expect((await admin('GET', '/v1/ledger')).body).toMatchObject({ totals: { received: 2, dead: 1, discarded: 1 } })
  })

  test('requests that do not fit', async () => {
    for (const body of [{}, { ids: 'all' }, { ids: [0] }, { ids: [1.5] }, { ids: [1], more: 1 }]) {
      expect(await admin('POST', '/v1/dead-letters/replay', body)).toMatchObject({ status: 400 })
    }
    expect(await admin('PATCH', '/v1/dead-letters/x', { data: 1 })).toMatchObject({ status: 400 })
    expect(await admin('PATCH', '/v1/dead-letters/7', { data: 1 })).toMatchObject({ status: 404 })
  })
})

describe('operation', () => {
  test('gaps name the numbers that are open', async () => {
    const streams = [{ id: STREAM, recorded: 10, dropped: {} }]
    const segments = [2, 5].map((first) => ({ stream: STREAM, first, events: [goodEvent()] }))
    await relay.send(batchOf([], { streams, segments, clock: { offsetMs: 5, uncertaintyMs: 2, monotonicMs: 9 } }))
    expect((await admin('GET', '/v1/gaps')).body.gaps).toEqual([
      {
        ...{ tenant: 'default', account: 'acme', device: 'laptop', stream: STREAM, missing: 8, declared: 0 },
        open: [
          [0, 1],
          [3, 4],
          [6, 9],
        ],
        lastSeenMs: NOW_MS,
      },
    ])
    expect((await admin('GET', '/v1/gaps?account=other')).body.gaps).toEqual([])
    const { body } = await admin('GET', '/v1/ledger')
    expect(body.streams, 'the sender’s clock is in the ledger').toMatchObject([
      { clock: { offsetMs: 5, uncertaintyMs: 2, monotonicMs: 9 } },
    ])
  })

  test('a lane is paused and resumed; an unknown one is not', async () => {
    await relay.send(batchOf([goodEvent()]))
    expect(await admin('POST', '/v1/lanes/calls/pause', { reason: 'month end' })).toMatchObject({ status: 200 })
    expect((await admin('GET', '/v1/backlog')).body.lanes).toMatchObject([
      { lane: 'calls', waiting: 1, paused: { reason: 'month end', sinceMs: NOW_MS } },
    ])
    expect((await admin('POST', '/v1/lanes/calls/resume')).body).toEqual({ lane: 'calls', wasPaused: true })
    expect((await admin('POST', '/v1/lanes/calls/resume')).body).toEqual({ lane: 'calls', wasPaused: false })
    expect(relay.woken.at(-1)).toBe('calls')
    expect(await admin('POST', '/v1/lanes/other/pause', { reason: 'x' })).toMatchObject({ status: 404 })
    expect(await admin('POST', '/v1/lanes/calls/pause', {})).toMatchObject({ status: 400 })
  })

  test('a parked delivery waits for its verdict', async () => {
    await relay.send(batchOf([goodEvent()]))
    const { store } = relay.relay
    const claim = { lane: 'calls', owner: 'test', leaseMs: 1, nowMs: NOW_MS, maxEvents: 1 }
    const draft = { taken: 1, body: new Uint8Array([1]), rows: 1, bytes: 1, unmappable: [] }
    const delivery = await store.openDelivery(claim, () => draft)
    await store.parkDelivery(delivery?.id ?? '', 'no answer', NOW_MS)
    const [parked] = (await admin('GET', '/v1/parked')).body.parked as { id: string }[]
    expect(parked).toMatchObject({ lane: 'calls', rows: 1, reason: 'no answer', events: [`${STREAM}-0`] })
    expect(await admin('POST', `/v1/parked/${parked?.id}`, { verdict: 'maybe' })).toMatchObject({ status: 400 })
    expect(await admin('POST', `/v1/parked/${parked?.id}`, { verdict: 'accepted' })).toMatchObject({ status: 200 })
    expect(await admin('POST', `/v1/parked/${parked?.id}`, { verdict: 'accepted' })).toMatchObject({ status: 404 })
    expect((await admin('GET', '/v1/ledger')).body).toMatchObject({ totals: { forwarded: 1 } })
  })

  test('hours add up', async () => {
    await relay.send(batchOf([goodEvent(), goodEvent()]))
    const { hours } = (await admin('GET', `/v1/hours?account=acme&from=${NOW_MS - 3_600_000}`)).body
    expect(hours).toMatchObject([{ account: 'acme', meter: 'calls', received: 2 }])
    expect((await admin('GET', `/v1/hours?from=${NOW_MS + 3_600_000}`)).body.hours).toEqual([])
  })

  test('reconciling is asked for, from a time if need be', async () => {
    const runs: unknown[] = []
    const reconciler = {
      run: async (options: unknown) => {
        runs.push(options)
        return { startedAtMs: 1, meters: [] }
      },
    }
    const other = await openTestRelay({ admin: { key: ADMIN_KEY } }, { createReconciler: () => reconciler })
    const headers = { Authorization: `Bearer ${ADMIN_KEY}`, 'Content-Type': 'application/json' }
    for (const body of [{}, { sinceMs: 7 }]) {
      const init = { method: 'POST', headers, body: JSON.stringify(body) }
      const response = await other.adminRequest('/v1/reconcile', init)
      expect(await response.json()).toEqual({ report: { startedAtMs: 1, meters: [] } })
    }
    expect(runs).toEqual([{}, { sinceMs: 7 }])
    await other.close()
  })

  test('reconciling happens by itself, every few hours, until the relay stops', async () => {
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] })
    try {
      let runs = 0
      const run = async (): Promise<never> => {
        runs++
        throw new Error('store gone')
      }
      const other = await openTestRelay({ reconcileEveryHours: 6 }, { createReconciler: () => ({ run }) })
      await other.relay.start()
      vi.advanceTimersByTime(6 * 3_600_000 - 1)
      expect(runs).toBe(0)
      vi.advanceTimersByTime(1)
      // Of the relays that share a store one has the turn: the store is asked first.
      while (other.log.length === 0) await new Promise((resolve) => setImmediate(resolve))
      expect(runs).toBe(1)
      expect(other.log).toMatchObject([{ level: 'error', event: 'reconcile_failed' }])
      await other.close()
      vi.advanceTimersByTime(24 * 3_600_000)
      expect(runs).toBe(1)
    } finally {
      vi.useRealTimers()
    }
  })

  test('without a folder there is no backup over the network', async () => {
    const other = await openTestRelay({ admin: { key: ADMIN_KEY } })
    const headers = { Authorization: `Bearer ${ADMIN_KEY}` }
    const refused = await other.adminRequest('/v1/backup', { method: 'POST', headers })
    expect(await readProblem(refused)).toMatchObject({ status: 409, code: 'conflict' })
    await other.close()
  })

  test('revocations that do not fit', async () => {
    for (const body of [{}, { account: '' }, { account: 'a', beforeMs: -1 }, { account: 'a', tenant: 'other' }]) {
      expect(await admin('POST', '/v1/revocations', body)).toMatchObject({ status: 400 })
    }
    await admin('POST', '/v1/revocations', { account: 'a', device: 'd', beforeMs: 7 })
    expect((await admin('GET', '/v1/revocations')).body.revocations).toEqual([
      { tenant: 'default', account: 'a', device: 'd', beforeMs: 7 },
    ])
  })

  test('metrics name what happened, and nobody', async () => {
    await relay.send(batchOf([goodEvent(), 'bad', goodEvent()]))
    await relay.send(batchOf([goodEvent()]), 'bad token')
    await relay.request('/made/up/by/a/client')
    await relay.request('/v1/events', { method: 'BREW' })
    relay.clock.nowMs += 90_000
    const response = await relay.adminRequest('/metrics', { headers: { Authorization: `Bearer ${ADMIN_KEY}` } })
    expect(response.headers.get('content-type')).toMatch(/^text\/plain; version=0\.0\.4/)
    const text = await response.text()
    for (const line of [
      'metertap_events_total{outcome="stored"} 2',
      'metertap_events_total{outcome="rejected"} 1',
      'metertap_events_rejected_total{code="bad_event"} 1',
      'metertap_tokens_issued_total{proof="grant"} 1',
      'metertap_refused_requests_total{code="unauthorized"} 1',
      'metertap_backlog_events{lane="calls",state="waiting"} 2',
      'metertap_backlog_events{lane="calls",state="parked"} 0',
      'metertap_backlog_oldest_seconds{lane="calls"} 90',
      'metertap_ledger_events{state="received"} 2',
      'metertap_refusing{reason="disk"} 0',
      'metertap_http_request_seconds_count{method="POST",route="/v1/events",status="200"} 1',
      'metertap_http_request_seconds_count{method="GET",route="none",status="404"} 1',
      'metertap_http_request_seconds_count{method="OTHER",route="/v1/events",status="405"} 1',
    ]) {
      expect(text.split('\n'), line).toContain(line)
    }
    expect(text).not.toMatch(/acme|laptop|made|BREW/)
  })
})

describe('every operator route', () => {
  const routes = Object.entries(openApi('operator', { url: '/', version: '1' }).paths).flatMap(([path, methods]) =>
    Object.keys(methods).map((method): [string, string] => [
      method.toUpperCase(),
      path.replace('{id}', '1').replace('{lane}', 'calls'),
    ]),
  )

  test.each(routes)('%s %s exists, for the holder of the key only', async (method, path) => {
    for (const key of ['', 'x', `${ADMIN_KEY}x`, await relay.token()]) {
      const refused = await relay.adminRequest(path, { method, headers: { Authorization: `Bearer ${key}` } })
      expect(await readProblem(refused)).toMatchObject({ status: 401, code: 'unauthorized' })
    }
    expect((await relay.request(path, { method })).status, 'not on the agents’ port').toBe(
      path === '/openapi.json' ? 200 : 404,
    )
    const headers = { Authorization: `Bearer ${ADMIN_KEY}`, 'Content-Type': 'application/json' }
    const answer = await relay.adminRequest(path, { method, headers, ...(method === 'GET' ? {} : { body: '{' }) })
    const body = await answer.text()
    expect([answer.status, body.includes('"not_found"') && !body.includes('There is no such')]).not.toEqual([404, true])
  })
})

describe('OpenAPI', () => {
  const documents: [string, () => Promise<Response>][] = [
    ['agents', () => relay.request('/openapi.json')],
    ['operator', () => relay.adminRequest('/openapi.json', { headers: { Authorization: `Bearer ${ADMIN_KEY}` } })],
  ]
  test.each(documents)('the description for the %s is valid', async (_name, read) => {
    const document = (await (await read()).json()) as Record<string, unknown>
    const { valid, errors } = await new Validator().validate(document)
    expect(errors).toBeUndefined()
    expect(valid).toBe(true)
  })

  test('the agents’ names every route that there is, and its problems', async () => {
    const { paths } = (await (await relay.request('/openapi.json')).json()) as {
      paths: Record<string, Record<string, { responses: Record<string, { description: string }> }>>
    }
    for (const [path, methods] of Object.entries(paths)) {
      for (const method of Object.keys(methods)) {
        expect((await relay.request(path, { method: method.toUpperCase() })).status, path).not.toBe(404)
      }
    }
    const refused = await readProblem(await relay.send({ v: 2 }))
    expect(paths['/v1/events']?.post?.responses[refused.status]?.description).toContain(`${refused.code}: `)
  })
})

test('the ledger shows what the forwarder does', async () => {
  const stats: LaneStats[] = []
  const other = await openTestRelay(
    { admin: { key: ADMIN_KEY } },
    { createForwarder: () => ({ start() {}, wake() {}, stop: async () => {}, stats: () => stats }) },
  )
  const read = async (path: string): Promise<string> =>
    await (await other.adminRequest(path, { headers: { Authorization: `Bearer ${ADMIN_KEY}` } })).text()
  const counts = { calls: 3, accepted: 2, buried: 1, parked: 0, failuresInARow: 4, inFlight: 0, maxInFlight: 8 }
  stats.push({ lane: 'calls', state: 'paused', reason: '403', code: 'everything_unmappable', ...counts })
  expect(JSON.parse(await read('/v1/ledger'))).toMatchObject({
    forwarding: [{ lane: 'calls', reason: '403', code: 'everything_unmappable' }],
  })
  const metrics = await read('/metrics')
  expect(metrics).toContain('metertap_lane_state{lane="calls",state="paused"} 1')
  expect(metrics).toContain('metertap_lane_state{lane="calls",state="idle"} 0')
  expect(metrics).toContain('metertap_lane_held{lane="calls",code="everything_unmappable"} 1')
  expect(metrics).toContain('metertap_lane_held{lane="calls",code="everything_refused"} 0')
  expect(metrics).toContain('metertap_lane_failures_in_a_row{lane="calls"} 4')
  await other.close()
})
