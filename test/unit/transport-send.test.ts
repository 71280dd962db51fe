import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { gunzipSync } from 'node:zlib'
import ky from 'ky'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import type { TokenSource } from '../../src/transport/contract.ts'
import { send } from '../../src/transport/send.ts'
import { MetertapError } from '../../src/wire/errors.ts'
import { createGzip } from '../../src/wire/gzip.ts'
import { fakeClock } from '../support/fake-clock.ts'

const ANSWER = JSON.stringify({ received: {}, rejected: [], retry: [], serverTime: 1 })
const TEXT = JSON.stringify({ batch: 'é'.repeat(500) })

interface Seen {
  readonly path: string | undefined
  readonly headers: IncomingMessage['headers']
  readonly body: Buffer
}

type Handler = (seen: Seen, response: ServerResponse, call: number) => void

/** A real HTTP server: what is under test is what fetch and ky make of the wire. */
async function serve(handler: Handler) {
  const requests: Seen[] = []
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk as Buffer)
    const seen = { path: request.url, headers: request.headers, body: Buffer.concat(chunks) }
    handler(seen, response, requests.push(seen) - 1)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  return { requests, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1/events` }
}

function tokenSource(list: (string | Error)[]) {
  const invalidated: string[] = []
  let current: string | Error | undefined
  const tokens: TokenSource = {
    async get() {
      current ??= list.shift() ?? new MetertapError('token_unavailable', 'No more tokens.')
      if (typeof current === 'string') return current
      const error = current
      current = undefined
      throw error
    },
    peek: () => (typeof current === 'string' ? current : undefined),
    invalidate(token) {
      invalidated.push(token)
      if (current === token) current = undefined
    },
  }
  return { tokens, invalidated }
}

const gzip = createGzip(CompressionStream, Response)

interface Given {
  readonly tokens?: (string | Error)[]
  readonly pack?: typeof gzip | 'none'
}

function sender(url: string, { tokens = ['token-1'], pack = gzip }: Given = {}) {
  const clock = fakeClock()
  const abort = new AbortController()
  const source = tokenSource(tokens)
  const http = ky.create({ retry: 0, throwHttpErrors: false, timeout: false })
  const { now, setTimer } = clock
  const options = {
    http,
    url,
    now,
    setTimer,
    gzip: pack === 'none' ? undefined : pack,
    timeoutMs: 30_000,
    signal: abort.signal,
    tokens: source.tokens,
  }
  return { clock, abort, send: () => send(options, TEXT), invalidated: source.invalidated }
}

describe('send', () => {
  test('posts the batch, compressed and said to be so', async () => {
    const { url, requests } = await serve((_, response) => response.end(ANSWER))
    const { clock, send } = sender(url)
    expect((await send()).kind).toBe('answered')
    const [only] = requests
    expect(only?.headers).toMatchObject({
      authorization: 'Bearer token-1',
      'content-type': 'application/json',
      'content-encoding': 'gzip',
    })
    expect(gunzipSync(only?.body ?? '').toString()).toBe(TEXT)
    expect(clock.pendingMs).toEqual([])
  })

  test.each([
    ['cannot compress', 'none' as const],
    ['compresses wrongly', () => Promise.reject(new RangeError('broken'))],
  ])('a platform that %s sends plain text, without the header', async (_, pack) => {
    const { url, requests } = await serve((_, response) => response.end(ANSWER))
    expect((await sender(url, { pack }).send()).kind).toBe('answered')
    expect(requests[0]?.headers['content-encoding']).toBeUndefined()
    expect(requests[0]?.body.toString()).toBe(TEXT)
  })

  test.each([
    [400, 'not_gzip'],
    [415, 'unsupported_encoding'],
  ])('what the relay cannot unpack (%d %s) is sent again as it is, at once', async (status, code) => {
    const { url, requests } = await serve((_, response, call) => {
      const problem = { type: `urn:metertap:problem:${code}`, title: 'No.', status, detail: 'Not unpacked.', code }
      if (call === 0) response.writeHead(status).end(JSON.stringify(problem))
      else response.end(ANSWER)
    })
    expect((await sender(url).send()).kind).toBe('answered')
    expect(requests.map(({ headers }) => headers['content-encoding'])).toEqual(['gzip', undefined])
    expect(requests[1]?.body.toString()).toBe(TEXT)
  })

  test('401: one renewal, the same bytes once more', async () => {
    const { url, requests } = await serve((_, response, call) => {
      response.statusCode = call === 0 ? 401 : 200
      response.end(call === 0 ? '' : ANSWER)
    })
    const { send, invalidated } = sender(url, { tokens: ['token-1', 'token-2'] })
    expect((await send()).kind).toBe('answered')
    expect(invalidated).toEqual(['token-1'])
    expect(requests.map(({ headers }) => headers.authorization)).toEqual(['Bearer token-1', 'Bearer token-2'])
    expect(requests[1]?.body.equals(requests[0]?.body ?? Buffer.of())).toBe(true)
  })

  test('a second 401 is the outcome: no third request', async () => {
    const { url, requests } = await serve((_, response) => response.writeHead(401).end())
    const outcome = await sender(url, { tokens: ['token-1', 'token-2', 'token-3'] }).send()
    expect(outcome.kind).toBe('unauthorized')
    expect(requests).toHaveLength(2)
  })

  test('without a token nothing is sent', async () => {
    const { url, requests } = await serve((_, response) => response.end(ANSWER))
    const error = new MetertapError('token_unavailable', 'Not signed in.')
    expect(await sender(url, { tokens: [error] }).send()).toEqual({ kind: 'unauthorized', detail: 'Not signed in.' })
    expect(requests).toHaveLength(0)
  })

  test('when the renewal fails, that is the outcome', async () => {
    const { url } = await serve((_, response) => response.writeHead(401).end())
    const error = new MetertapError('token_unavailable', 'Signed out.')
    const outcome = await sender(url, { tokens: ['token-1', error] }).send()
    expect(outcome).toEqual({ kind: 'unauthorized', detail: 'Signed out.' })
  })

  test('a redirect is not followed: the token goes nowhere else', async () => {
    const { url, requests } = await serve((_, response) => response.writeHead(307, { location: '/elsewhere' }).end())
    expect(await sender(url).send()).toMatchObject({ kind: 'refused', status: 307 })
    expect(requests.map(({ path }) => path)).toEqual(['/v1/events'])
  })

  test('a redirect that the platform hides counts as one', async () => {
    const http = ky.create({ retry: 0, throwHttpErrors: false, timeout: false, fetch: async () => hidden })
    const hidden = Object.defineProperty(Response.error(), 'type', { value: 'opaqueredirect' })
    const { now, setTimer } = fakeClock()
    const { tokens } = tokenSource(['token-1'])
    const signal = new AbortController().signal
    const options = {
      http,
      url: 'http://relay.test/',
      now,
      setTimer,
      gzip: undefined,
      timeoutMs: 1_000,
      signal,
      tokens,
    }
    expect(await send(options, TEXT)).toMatchObject({ kind: 'refused', status: 302 })
  })

  test('no connection: later, and the token is in no message', async () => {
    const { url } = await serve((_, response) => response.destroy())
    const outcome = await sender(url).send()
    expect(outcome).toMatchObject({ kind: 'later', delayMs: 0, code: 'relay_unreachable' })
    expect(JSON.stringify(outcome)).not.toContain('token-1')
  })

  test('passes Retry-After on', async () => {
    const { url } = await serve((_, response) => response.writeHead(503, { 'retry-after': '9' }).end())
    expect(await sender(url).send()).toMatchObject({ kind: 'later', delayMs: 9_000 })
  })

  test.each<[string, Handler]>([
    ['sends no headers', () => {}],
    ['stalls in the middle of the body', (_, response) => void response.writeHead(200).write('{"received":')],
  ])('a relay that %s is given up in time', async (_, handler) => {
    const { url, requests } = await serve(handler)
    const { clock, send } = sender(url)
    const outcome = send()
    await vi.waitFor(() => expect(requests).toHaveLength(1), { timeout: 30_000 })
    await clock.advance(30_000)
    expect(await outcome).toMatchObject({ kind: 'later', code: 'relay_unreachable' })
  })

  test('closing aborts what is under way', async () => {
    const { url, requests } = await serve(() => {})
    const { abort, clock, send } = sender(url)
    const outcome = send()
    await vi.waitFor(() => expect(requests).toHaveLength(1), { timeout: 30_000 })
    abort.abort()
    expect((await outcome).kind).toBe('later')
    expect(clock.pendingMs).toEqual([])
  })
})
