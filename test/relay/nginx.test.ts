import { createServer, request } from 'node:http'
import type { AddressInfo } from 'node:net'
import { gzipSync } from 'node:zlib'
import { afterEach, describe, expect, test } from 'vitest'
import * as z from 'zod'
import type { RelayConfig } from '../../src/relay.ts'
import { defineMeter } from '../../src/relay.ts'
import { findNginx, type Nginx, startNginx } from '../support/nginx.ts'
import { batchOf, goodEvent, ORIGIN, openTestRelay, route, STREAM, type TestRelay } from '../support/relay-fixture.ts'

const program = findNginx()
const TITLE = 'docs/deploy/nginx.conf'

if (!program) test.skip(`${TITLE}: skipped, there is no nginx, and only root may install it`, () => {})

interface Answer {
  readonly status: number
  /** As they came, so that a header that is there twice shows. */
  all(name: string): string[]
  readonly body: string
}

let opened = new AsyncDisposableStack()
afterEach(async () => {
  await opened.disposeAsync()
  opened = new AsyncDisposableStack()
})

interface Front {
  readonly relay: TestRelay
  readonly nginx: Nginx
  readonly token: string
  ask(
    path: string,
    init?: { method?: string; headers?: Record<string, string>; body?: string | Uint8Array },
  ): Promise<Answer>
  send(batch: unknown, headers?: Record<string, string>, token?: string): Promise<Answer>
}

async function openFront(config: Partial<RelayConfig> = {}, others: readonly string[] = []): Promise<Front> {
  const relay = await openTestRelay({ listen: { port: 0, trustedProxies: 1 }, ...config })
  opened.defer(() => relay.close())
  const { url } = await relay.relay.start()
  const nginx = await startNginx(program as string, [...others, new URL(url).host])
  opened.defer(() => nginx.close())
  const ask: Front['ask'] = (path, init) => askHttp(`${nginx.url}${path}`, init)
  const grant = await relay.grant()
  const headers = { 'content-type': 'application/json' }
  const { body } = await ask('/v1/token', { method: 'POST', headers, body: JSON.stringify({ grant }) })
  const { token } = JSON.parse(body) as { token: string }
  return {
    ...{ relay, nginx, token, ask },
    send: (batch, more = {}, other = token) =>
      ask('/v1/events', {
        method: 'POST',
        headers: { ...headers, authorization: `Bearer ${other}`, origin: ORIGIN, ...more },
        body: batch instanceof Uint8Array ? batch : JSON.stringify(batch),
      }),
  }
}

/** By Node's own client: fetch would join headers that are there twice. */
function askHttp(
  url: string,
  { method = 'GET', headers = {}, body }: Parameters<Front['ask']>[1] = {},
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const length = body === undefined ? {} : { 'content-length': String(Buffer.byteLength(body)) }
    const asked = request(url, { method, headers: { ...headers, ...length } }, (answer) => {
      const chunks: Buffer[] = []
      answer.on('data', (chunk: Buffer) => chunks.push(chunk))
      answer.on('end', () =>
        resolve({
          status: answer.statusCode ?? 0,
          all: (name) => answer.headersDistinct[name] ?? [],
          body: Buffer.concat(chunks).toString(),
        }),
      )
    })
    asked.on('error', reject)
    asked.end(body)
  })
}

describe.skipIf(!program)(TITLE, () => {
  test('lets a batch through, plain and gzip, and its answer back', async () => {
    const { send } = await openFront()
    expect(JSON.parse((await send(batchOf([goodEvent(), goodEvent()]))).body).received).toEqual({ [STREAM]: [[0, 1]] })
    const packed = gzipSync(JSON.stringify(batchOf([goodEvent(), goodEvent(), goodEvent()])))
    const answer = await send(new Uint8Array(packed), { 'content-encoding': 'gzip' })
    expect(JSON.parse(answer.body).received).toEqual({ [STREAM]: [[0, 2]] })
  })

  test('a relay’s 413 comes back as the relay’s, readable to a page', async () => {
    const { send } = await openFront()
    const answer = await send(batchOf([['calls', 0, { text: 'x'.repeat(1.2 * 2 ** 20) }]]))
    expect([answer.status, JSON.parse(answer.body).code]).toEqual([413, 'body_too_large'])
    expect(answer.all('access-control-allow-origin')).toEqual([ORIGIN])
  })

  test('429, with Retry-After and the limit’s headers, once each', async () => {
    const { relay, ask, send } = await openFront()
    const grant = await relay.grant({ device: 'slow', ratePerMinute: 1 })
    const headers = { 'content-type': 'application/json' }
    const { body } = await ask('/v1/token', { method: 'POST', headers, body: JSON.stringify({ grant }) })
    const { token } = JSON.parse(body) as { token: string }
    expect((await send(batchOf([]), {}, token)).status).toBe(200)
    const answer = await send(batchOf([]), {}, token)
    expect(answer.status).toBe(429)
    expect(answer.all('retry-after')).toEqual(['60'])
    expect(answer.all('ratelimit')).toEqual(['"device";r=0;t=60'])
    expect(answer.all('access-control-expose-headers').join()).toContain('Retry-After')
  })

  test('CORS and security headers are answered once', async () => {
    const { ask, send } = await openFront()
    const preflight = await ask('/v1/events', {
      method: 'OPTIONS',
      headers: { origin: ORIGIN, 'access-control-request-method': 'POST' },
    })
    expect(preflight.status).toBe(204)
    for (const answer of [preflight, await send(batchOf([goodEvent()]))]) {
      expect(answer.all('access-control-allow-origin')).toEqual([ORIGIN])
      expect(answer.all('strict-transport-security')).toHaveLength(1)
      expect(answer.all('server')).toEqual(['nginx'])
    }
  })

  test('a client is known by its address, not by what it writes into X-Forwarded-For', async () => {
    const { ask } = await openFront({ limits: { addressPerMinute: 3 } })
    const statuses: number[] = []
    for (let n = 0; n < 4; n++) {
      const headers = { 'x-forwarded-for': `203.0.113.${n}`, 'content-type': 'application/json' }
      statuses.push((await ask('/v1/token', { method: 'POST', headers, body: '{}' })).status)
    }
    // One of three went for the token of this front.
    expect(statuses).toEqual([400, 400, 429, 429])
  })

  test('takes a token of a hundred meters', async () => {
    const meters = Array.from({ length: 100 }, (_, n) => defineMeter(`m${String(n).padStart(63, '0')}`, z.unknown()))
    const { token, send } = await openFront({ meters: meters.map(route) })
    expect(token.length).toBeGreaterThan(8_192)
    expect((await send(batchOf([]))).status).toBe(200)
  })

  test('passes over a relay that is gone', async () => {
    const { send } = await openFront({}, ['127.0.0.1:9'])
    for (let n = 1; n <= 6; n++) expect((await send(batchOf(Array(n).fill(goodEvent())))).status).toBe(200)
  })

  test('passes over a relay that is stopping, and hands its 503 on where there is no other', async () => {
    const stopping = createServer((_, answer) => answer.writeHead(503, { 'retry-after': '7' }).end())
    await new Promise<void>((resolve) => stopping.listen(0, '127.0.0.1', resolve))
    opened.defer(() => new Promise<void>((resolve) => stopping.close(() => resolve())))
    opened.defer(async () => stopping.closeAllConnections())
    const place = `127.0.0.1:${(stopping.address() as AddressInfo).port}`
    const { send } = await openFront({}, [place])
    for (let n = 1; n <= 6; n++) expect((await send(batchOf(Array(n).fill(goodEvent())))).status).toBe(200)
    const alone = await startNginx(program as string, [place])
    opened.defer(() => alone.close())
    const answer = await askHttp(`${alone.url}/v1/events`, { method: 'POST', body: '{}' })
    expect([answer.status, answer.all('retry-after')]).toEqual([503, ['7']])
  })

  test('has nothing of the operator, and nothing else', async () => {
    const { ask } = await openFront()
    expect((await ask('/livez')).status).toBe(200)
    for (const path of ['/metrics', '/console', '/v1/ledger', '/v1/events/x', '/openapi.json'])
      expect([path, (await ask(path)).status]).toEqual([path, 404])
  })

  test('neither token, grant nor event gets into a log', async () => {
    const { nginx, relay, token, ask, send } = await openFront()
    await send(batchOf([['calls', 0, { note: 'a-secret-of-the-event' }]]))
    const exit = JSON.stringify({ ...batchOf([goodEvent()]), token })
    await ask('/v1/exit', { method: 'POST', headers: { 'content-type': 'text/plain' }, body: exit })
    // Nobody should, and somebody will.
    await ask(`/v1/events?token=${token}`, { headers: { referer: `https://a.example/?t=${token}` } })
    const grant = await relay.grant()
    await ask(`/v1/token?grant=${grant}`, { method: 'POST', body: grant })
    await expect.poll(() => nginx.logged().match(/"POST \/v1\/(events|exit|token)"/g)?.length).toBe(4)
    for (const secret of [token, grant, 'a-secret-of-the-event']) expect(nginx.logged()).not.toContain(secret)
  })
})
