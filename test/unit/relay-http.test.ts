import { request as httpRequest } from 'node:http'
import { gzipSync } from 'node:zlib'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import {
  ADMIN_KEY,
  batchOf,
  goodEvent,
  NOW_MS,
  ORIGIN,
  openTestRelay,
  readAnswer,
  readProblem,
  STREAM,
  type TestRelay,
} from '../support/relay-fixture.ts'

let relay: TestRelay
let token: string
beforeEach(async () => {
  const limits = { maxWireBytes: 4096, maxBodyBytes: 16_384, maxEventsPerBatch: 10 }
  relay = await openTestRelay({ limits, admin: { key: ADMIN_KEY } })
  token = await relay.token()
})
afterEach(() => relay.close())

type Body = NonNullable<RequestInit['body']>

function post(body: Body, headers: Record<string, string> = {}): Promise<Response> {
  const defaults = { Authorization: `Bearer ${token}`, 'Content-Type': 'application/json' }
  const init = { method: 'POST', headers: { ...defaults, ...headers }, body, duplex: 'half' }
  return relay.request('/v1/events', init as RequestInit)
}

const gzip = { 'Content-Encoding': 'gzip' }
const good = JSON.stringify(batchOf([goodEvent()]))

describe('bodies', () => {
  test.each([
    ['plain', good, {}],
    ['identity', good, { 'Content-Encoding': 'identity' }],
    ['gzip', gzipSync(good), gzip],
    ['gzip in capitals', gzipSync(good), { 'Content-Encoding': 'GZIP' }],
    ['a charset', good, { 'Content-Type': 'application/json; charset="UTF-8"' }],
  ])('%s is taken', async (_name, body, headers) => {
    expect((await readAnswer(await post(body, headers))).received).toEqual({ [STREAM]: [[0, 0]] })
  })

  const bomb = gzipSync(Buffer.alloc(20_000_000, ' '))
  const deepSuffix = `${'['.repeat(4000)}${']'.repeat(4000)}`
  const cases: [name: string, code: string, status: number, body: Body, headers?: Record<string, string>][] = [
    ['says gzip and is not', 'not_gzip', 400, good, gzip],
    ['is half of a gzip stream', 'not_gzip', 400, gzipSync(good).subarray(0, 60), gzip],
    ['is empty gzip', 'not_gzip', 400, '', gzip],
    ['is gzip and does not say so', 'not_json', 400, gzipSync(good)],
    ['is broken JSON', 'not_json', 400, good.slice(0, -1)],
    ['is empty', 'not_json', 400, ''],
    ['is not UTF-8', 'not_json', 400, new Uint8Array([0x22, 0xff, 0x22])],
    ['is too long on the wire', 'body_too_large', 413, ' '.repeat(4097)],
    ['is a bomb that is too long on the wire', 'body_too_large', 413, bomb, gzip],
    ['is a bomb', 'inflated_too_large', 413, gzipSync(' '.repeat(16_385)), gzip],
    [
      'is two gzip streams that are a bomb together',
      'inflated_too_large',
      413,
      Buffer.concat([gzipSync(' '.repeat(9000)), gzipSync(' '.repeat(9000))]),
      gzip,
    ],
    ['is brotli', 'unsupported_encoding', 415, good, { 'Content-Encoding': 'br' }],
    ['is encoded twice', 'unsupported_encoding', 415, good, { 'Content-Encoding': 'gzip, gzip' }],
    ['is a form', 'unsupported_media_type', 415, good, { 'Content-Type': 'application/x-www-form-urlencoded' }],
    ['is text', 'unsupported_media_type', 415, good, { 'Content-Type': 'text/plain' }],
    ['is Latin-1', 'unsupported_media_type', 415, good, { 'Content-Type': 'application/json; charset=latin1' }],
    ['has no type', 'unsupported_media_type', 415, good, { 'Content-Type': '' }],
    ['is of a later version', 'unsupported_version', 400, JSON.stringify(batchOf([], { v: 2 }))],
    ['has a version in words', 'unsupported_version', 400, JSON.stringify(batchOf([], { v: '1' }))],
    ['has no version', 'invalid_batch', 400, JSON.stringify(batchOf([], { v: undefined }))],
    ['is null', 'invalid_batch', 400, 'null'],
    ['is a list', 'invalid_batch', 400, '[]'],
    ['is nothing but brackets', 'invalid_batch', 400, gzipSync(deepSuffix), gzip],
    [
      'has a segment without events',
      'invalid_batch',
      400,
      JSON.stringify(batchOf([], { segments: [{ stream: STREAM, first: 0 }] })),
    ],
    [
      'counts less than nothing',
      'invalid_batch',
      400,
      JSON.stringify(batchOf([], { streams: [{ id: STREAM, recorded: -1, dropped: {} }] })),
    ],
    ['has too many events', 'too_many_events', 413, JSON.stringify(batchOf(Array(11).fill(0)))],
    [
      'has too many events in segments',
      'too_many_events',
      413,
      JSON.stringify(batchOf([], { segments: Array(2).fill({ stream: STREAM, first: 0, events: Array(6).fill(0) }) })),
    ],
    [
      'has too many segments',
      'too_many_events',
      413,
      JSON.stringify(batchOf([], { segments: Array(11).fill({ stream: STREAM, first: 0, events: [] }) })),
    ],
    [
      'has too many streams',
      'too_many_events',
      413,
      JSON.stringify(batchOf([], { streams: Array(11).fill({ id: STREAM, recorded: 1, dropped: {} }) })),
    ],
  ]
  test.each(cases)('one that %s is refused: %s', async (_name, code, status, body, headers) => {
    const response = await post(body, headers)
    expect(await readProblem(response)).toMatchObject({
      status,
      code,
      type: `urn:metertap:problem:${code}`,
      detail: expect.stringMatching(/\w+/),
    })
    expect(relay.log, 'a client’s mistake is no error of the relay').toEqual([])
    expect(await relay.relay.store.totals()).toMatchObject({ streams: 0 })
  })

  test('an event that is deep does not cost its batch', async () => {
    const deep = JSON.parse(`{"quantity":${'['.repeat(1500)}${']'.repeat(1500)}}`)
    const answer = await readAnswer(
      await post(JSON.stringify(batchOf([goodEvent(), ['calls', NOW_MS, deep], goodEvent()]))),
    )
    expect(answer).toMatchObject({
      received: {
        [STREAM]: [
          [0, 0],
          [2, 2],
        ],
      },
      rejected: [{ seq: 1, code: 'too_deep' }],
    })
  })

  test('a stream without a length is read no further than the cap', async () => {
    let pulled = 0
    let cancelled = false
    const endless = new ReadableStream({
      pull(controller) {
        pulled += 1024
        controller.enqueue(new Uint8Array(1024))
      },
      cancel() {
        cancelled = true
      },
    })
    expect(await readProblem(await post(endless))).toMatchObject({ code: 'body_too_large' })
    expect(pulled).toBeLessThanOrEqual(4096 + 3 * 1024)
    expect(cancelled).toBe(true)
  })

  test('a body that says it is too long is not read at all', async () => {
    let pulled = 0
    const body = new ReadableStream({ pull: () => void pulled++ }, { highWaterMark: 0 })
    expect(await readProblem(await post(body, { 'Content-Length': '4097' }))).toMatchObject({ code: 'body_too_large' })
    expect(pulled).toBe(0)
  })

  test('a body that breaks off is not taken', async () => {
    const broken = new ReadableStream({
      pull(controller) {
        controller.error(new Error('connection reset'))
      },
    })
    expect(await readProblem(await post(broken))).toMatchObject({ status: 503, code: 'unavailable' })
  })

  test('nothing of a body is read for a bad token', async () => {
    let pulled = 0
    const body = new ReadableStream({ pull: () => void pulled++ }, { highWaterMark: 0 })
    expect(await readProblem(await post(body, { Authorization: 'Bearer x' }))).toMatchObject({ code: 'unauthorized' })
    expect(pulled).toBe(0)
  })
})

describe('other origins', () => {
  const preflight = (origin: string): Promise<Response> =>
    relay.request('/v1/events', {
      method: 'OPTIONS',
      headers: {
        Origin: origin,
        'Access-Control-Request-Method': 'POST',
        'Access-Control-Request-Headers': 'authorization,content-encoding,content-type',
      },
    })

  test('a configured one gets a preflight answer that is kept', async () => {
    const { status, headers } = await preflight(ORIGIN)
    expect(status).toBe(204)
    expect(headers.get('access-control-allow-origin')).toBe(ORIGIN)
    expect(headers.get('access-control-allow-methods')).toBe('POST')
    expect(headers.get('access-control-allow-headers')?.toLowerCase().split(',')).toEqual(
      expect.arrayContaining(['authorization', 'content-type', 'content-encoding']),
    )
    expect(Number(headers.get('access-control-max-age'))).toBeGreaterThanOrEqual(7200)
    expect(headers.get('access-control-allow-credentials')).toBeNull()
  })

  test('another one gets no permission', async () => {
    expect((await preflight('https://evil.example.com')).headers.get('access-control-allow-origin')).toBeNull()
    expect((await preflight(`${ORIGIN}.evil.com`)).headers.get('access-control-allow-origin')).toBeNull()
  })

  test('Electron’s pages, from files or a scheme of their own, only when they are named', async () => {
    const allowed = async (one: TestRelay, origin: string): Promise<string | null> => {
      const headers = { Origin: origin, 'Access-Control-Request-Method': 'POST' }
      const answer = await one.request('/v1/events', { method: 'OPTIONS', headers })
      return answer.headers.get('access-control-allow-origin')
    }
    const electron = await openTestRelay({ origins: ['app://acme', 'null'] })
    expect(await allowed(electron, 'app://acme')).toBe('app://acme')
    expect(await allowed(electron, 'null')).toBe('null')
    expect(await allowed(electron, 'app://other')).toBeNull()
    expect(await allowed(relay, 'null')).toBeNull()
    expect(await allowed(relay, 'app://acme')).toBeNull()
    await electron.close()
  })

  test('answers and refusals can both be read, Retry-After too', async () => {
    for (const body of [good, 'broken']) {
      const { headers } = await post(body, { Origin: ORIGIN })
      expect(headers.get('access-control-allow-origin')).toBe(ORIGIN)
      expect(headers.get('access-control-expose-headers')).toBe('Retry-After,RateLimit,RateLimit-Policy')
      expect(headers.get('vary')).toBe('Origin')
    }
  })
})

describe('the rest', () => {
  test('security headers are on everything', async () => {
    for (const response of [await post(good), await post('broken'), await relay.request('/nowhere')]) {
      expect(response.headers.get('x-content-type-options')).toBe('nosniff')
      expect(response.headers.get('content-security-policy')).toBe("default-src 'none'; frame-ancestors 'none'")
      expect(response.headers.get('referrer-policy')).toBe('no-referrer')
      expect(response.headers.get('cache-control')).toBe('no-store')
      expect(response.headers.get('x-powered-by')).toBeNull()
    }
  })

  test('unknown paths and methods', async () => {
    expect(await readProblem(await relay.request('/nowhere'))).toMatchObject({ status: 404, code: 'not_found' })
    const response = await relay.request('/v1/events')
    expect(response.headers.get('allow')).toBe('POST')
    expect(await readProblem(response)).toMatchObject({ status: 405, code: 'method_not_allowed' })
    expect(await readProblem(await relay.request('/livez', { method: 'DELETE' }))).toMatchObject({ status: 405 })
  })

  test('health', async () => {
    expect((await relay.request('/livez')).status).toBe(200)
    expect((await relay.request('/readyz')).status).toBe(200)
    await relay.relay.stop()
    expect((await relay.request('/livez')).status).toBe(200)
    const response = await relay.request('/readyz')
    expect(response.headers.get('retry-after')).toBe('1')
    expect(await readProblem(response)).toMatchObject({ status: 503, code: 'unavailable' })
    expect(await readProblem(await post(good, { Origin: ORIGIN }))).toMatchObject({ status: 503, code: 'unavailable' })
  })

  test('a flood of probes costs the store one question, and one a second', async () => {
    const { store } = relay.relay
    const wait = Promise.withResolvers<void>()
    let asked = 0
    let isBroken = false
    store.check = async () => {
      asked++
      await wait.promise
      if (isBroken) throw new Error('disk full')
    }
    const probes = Array.from({ length: 100 }, () => relay.request('/readyz'))
    await new Promise((resolve) => setImmediate(resolve))
    wait.resolve()
    for (const answer of await Promise.all(probes)) expect(answer.status).toBe(200)
    expect(asked).toBe(1)

    // An answer is good for a second, be it yes or no; a clock that was set back does not make it good for longer.
    isBroken = true
    expect((await relay.request('/readyz')).status).toBe(200)
    relay.clock.nowMs += 1_000
    for (let n = 0; n < 3; n++) expect((await relay.request('/readyz')).status).toBe(503)
    expect(asked).toBe(2)
    expect(relay.log).toMatchObject([{ level: 'error', event: 'store_failed' }])
    isBroken = false
    relay.clock.nowMs -= 60_000
    expect((await relay.request('/readyz')).status).toBe(200)
    expect(asked).toBe(3)
  })

  test('an error of the relay’s own is 500, with nothing of its cause', async () => {
    relay.relay.store.revokedBefore = () => {
      throw new TypeError('a bug')
    }
    const refusal = await readProblem(await post(good))
    expect(refusal).toMatchObject({ status: 500, code: 'internal' })
    expect(JSON.stringify(refusal)).not.toContain('a bug')
    expect(relay.log).toMatchObject([{ level: 'error', event: 'request_failed' }])
  })

  test('no token, grant or key ever reaches the log', async () => {
    await relay.relay.store.close()
    const grant = await relay.grant()
    await post(good)
    await post(good, { Authorization: 'Bearer forged' })
    await relay.request('/v1/token', {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify({ grant }),
    })
    await relay.adminRequest('/v1/ledger', { headers: { Authorization: `Bearer ${ADMIN_KEY}` } })
    const text = JSON.stringify(
      relay.log.map(({ fields, ...entry }) => ({ ...entry, fields: String(JSON.stringify(fields)) })),
    )
    expect(relay.log.length).toBeGreaterThan(0)
    for (const secret of [token, grant, ADMIN_KEY, 'forged', 'client-secret']) expect(text).not.toContain(secret)
  })
})

describe('the operator’s view', () => {
  const get = (path: string, key?: string): Promise<Response> =>
    relay.adminRequest(path, key === undefined ? {} : { headers: { Authorization: `Bearer ${key}` } })

  test('the ledger, by account and stream', async () => {
    await post(good)
    const whole = await (await get('/v1/ledger', ADMIN_KEY)).json()
    expect(whole).toMatchObject({
      serverTime: NOW_MS,
      totals: { streams: 1, recorded: 1, received: 1, missing: 0 },
      lanes: [{ lane: 'calls', waiting: 1, inDelivery: 0 }],
      forwarding: [],
      streams: [{ account: 'acme', stream: STREAM, received: 1 }],
    })
    for (const [query, count] of [
      ['account=acme', 1],
      ['account=other', 0],
      [`stream=${STREAM}`, 1],
      ['stream=x', 0],
      ['limit=1', 1],
    ] as const) {
      const { streams } = (await (await get(`/v1/ledger?${query}`, ADMIN_KEY)).json()) as { streams: unknown[] }
      expect(streams, query).toHaveLength(count)
    }
    expect(await readProblem(await get('/v1/ledger?limit=0', ADMIN_KEY))).toMatchObject({ code: 'invalid_request' })
  })

  test('dead letters', async () => {
    await post(good)
    const claim = { lane: 'calls', owner: 'test', leaseMs: 1, nowMs: NOW_MS, maxEvents: 10 }
    const draft = { taken: 1, body: new Uint8Array(), rows: 1, bytes: 0, unmappable: [] }
    const delivery = await relay.relay.store.openDelivery(claim, () => draft)
    await relay.relay.store.buryDelivery(delivery?.id ?? '', 'refused', 'why', NOW_MS)
    expect(await (await get('/v1/dead-letters', ADMIN_KEY)).json()).toMatchObject({
      deadLetters: [{ stream: STREAM, seq: 0, code: 'refused', detail: 'why' }],
    })
  })

  test.each(['/v1/ledger', '/v1/dead-letters'])('%s needs the key', async (path) => {
    for (const key of [undefined, '', 'x', `${ADMIN_KEY}x`, token]) {
      expect(await readProblem(await get(path, key))).toMatchObject({ status: 401, code: 'unauthorized' })
    }
    const keyless = await openTestRelay()
    expect(await readProblem(await keyless.adminRequest(path))).toMatchObject({ status: 404, code: 'not_found' })
    await keyless.close()
  })
})

test('a relay without a port finishes what is open before it closes its store', async () => {
  const rest = Promise.withResolvers<void>()
  const body = new ReadableStream({
    async start(controller) {
      await rest.promise
      controller.enqueue(new TextEncoder().encode(good))
      controller.close()
    },
  })
  const answer = post(body)
  // Past the token's check, so that the request is inside when the stop comes.
  await new Promise((resolve) => setTimeout(resolve, 100))
  const stopped = relay.relay.stop()
  await new Promise((resolve) => setTimeout(resolve, 100))
  rest.resolve()
  expect((await readAnswer(await answer)).received).toEqual({ [STREAM]: [[0, 0]] })
  await stopped
})

describe('over a real port', () => {
  test('a batch, gzipped, by fetch', async () => {
    const { url } = await relay.relay.start()
    const headers = { Authorization: `Bearer ${token}`, 'Content-Type': 'application/json', ...gzip }
    const response = await fetch(`${url}/v1/events`, { method: 'POST', headers, body: gzipSync(good) })
    expect((await readAnswer(response)).received).toEqual({ [STREAM]: [[0, 0]] })
    expect((await relay.relay.start()).url, 'starting twice is starting once').toBe(url)
  })

  test('a body without end is cut off with 413', async () => {
    const { url } = await relay.relay.start()
    const status = await new Promise((resolve, reject) => {
      const headers = { Authorization: `Bearer ${token}`, 'Content-Type': 'application/json' }
      const request = httpRequest(`${url}/v1/events`, { method: 'POST', headers }, (response) => {
        response.resume()
        clearInterval(writing)
        request.destroy()
        resolve(response.statusCode)
      })
      const writing = setInterval(() => request.write(Buffer.alloc(1024, ' ')), 1)
      request.on('error', reject)
    })
    expect(status).toBe(413)
  })

  test('stop() lets an open request finish, stores it and refuses the next', async () => {
    const { url } = await relay.relay.start()
    const rest = Promise.withResolvers<void>()
    const body = new ReadableStream({
      async start(controller) {
        controller.enqueue(new TextEncoder().encode(good.slice(0, 10)))
        await rest.promise
        controller.enqueue(new TextEncoder().encode(good.slice(10)))
        controller.close()
      },
    })
    const headers = { Authorization: `Bearer ${token}`, 'Content-Type': 'application/json' }
    const answer = fetch(`${url}/v1/events`, { method: 'POST', headers, body, duplex: 'half' } as RequestInit)
    // Long enough for the first bytes to arrive; were it not, the request would be refused and the test fail.
    await new Promise((resolve) => setTimeout(resolve, 200))
    const begunMs = performance.now()
    const stopped = relay.relay.stop()
    rest.resolve()
    expect((await readAnswer(await answer)).received).toEqual({ [STREAM]: [[0, 0]] })
    await stopped
    expect(performance.now() - begunMs, 'an idle connection does not hold up the stop').toBeLessThan(2000)
    await expect(fetch(`${url}/livez`)).rejects.toThrow()
    await expect(relay.relay.start()).rejects.toMatchObject({ code: 'closed' })
  })

  test('a port in use is said so', async () => {
    const { url } = await relay.relay.start()
    const port = Number(new URL(url).port)
    const second = await openTestRelay({ listen: { port } })
    await expect(second.relay.start()).rejects.toMatchObject({
      code: 'bad_option',
      message: expect.stringContaining(`Cannot listen on 127.0.0.1:${port}: it is in use`),
    })
    await second.close()
  })
})
