import { beforeEach, describe, expect, test } from 'vitest'
import { createTokenSource, type TokenSource } from '../../src/relay/forward/token-source.ts'
import { createFakeUpstream, type FakeUpstream, json } from '../support/fake-upstream.ts'
import { createVirtualTime, type VirtualTime } from '../support/virtual-time.ts'

describe('createTokenSource', () => {
  let upstream: FakeUpstream
  let time: VirtualTime
  let tokens: TokenSource
  let stop: AbortController
  beforeEach(() => {
    upstream = createFakeUpstream()
    time = createVirtualTime(1_000_000)
    stop = new AbortController()
    tokens = createTokenSource({
      ...{ restBase: 'https://rest.zuora.com', clientId: 'id', clientSecret: 's&=ü', timeoutMs: 30_000 },
      ...{ fetch: upstream.fetch, clock: time.clock, timer: time.timer, stopped: stop.signal },
    })
  })

  test('asks as the upstream wants it', async () => {
    expect(await tokens.get()).toEqual({ kind: 'token', token: 'token-1' })
    const [request] = upstream.tokenRequests
    expect(request?.url).toBe('https://rest.zuora.com/oauth/token')
    expect(request?.headers.get('Content-Type')).toBe('application/x-www-form-urlencoded')
    expect(request?.headers.has('Authorization')).toBe(false)
    expect(Object.fromEntries(new URLSearchParams(request?.body))).toEqual({
      ...{ grant_type: 'client_credentials', client_id: 'id', client_secret: 's&=ü' },
    })
  })

  test('shares one request and keeps the token until 300 s before its end', async () => {
    const got = await Promise.all([tokens.get(), tokens.get(), tokens.get()])
    expect(got).toEqual(Array(3).fill({ kind: 'token', token: 'token-1' }))
    await time.advance(3_298_999)
    expect(await tokens.get()).toEqual({ kind: 'token', token: 'token-1' })
    await time.advance(1)
    expect(await tokens.get()).toEqual({ kind: 'token', token: 'token-2' })
    expect(upstream.tokenRequests).toHaveLength(2)
  })

  test('a short life is used for its half at least', async () => {
    upstream.token = () => json(200, { access_token: 'short', expires_in: 100 })
    await tokens.get()
    await time.advance(49_999)
    await tokens.get()
    expect(upstream.tokenRequests).toHaveLength(1)
    await time.advance(1)
    await tokens.get()
    expect(upstream.tokenRequests).toHaveLength(2)
  })

  test('a discarded token is replaced once, however many were refused with it', async () => {
    await tokens.get()
    tokens.discard('token-1')
    await tokens.get()
    tokens.discard('token-1')
    expect(await tokens.get()).toEqual({ kind: 'token', token: 'token-2' })
  })

  test('goes on with the old token while a refresh fails, and asks again later', async () => {
    await tokens.get()
    await time.advance(3_300_000)
    upstream.token = () => json(500, {})
    expect(await tokens.get()).toEqual({ kind: 'token', token: 'token-1' })
    await tokens.get()
    expect(upstream.tokenRequests).toHaveLength(2)
    await time.advance(30_000)
    await tokens.get()
    expect(upstream.tokenRequests).toHaveLength(3)
    await time.advance(300_000)
    expect(await tokens.get()).toMatchObject({ kind: 'later' })
  })

  test.each<[string, () => Response, string]>([
    ['wrong credentials', () => json(401, { error: 'invalid_client', error_description: 'secret words' }), 'blocked'],
    ['a bad request', () => json(400, {}), 'blocked'],
    ['a redirect', () => new Response(null, { status: 302, headers: { Location: 'https://evil.example' } }), 'blocked'],
    ['overload', () => json(429, {}, { 'Retry-After': '9' }), 'later'],
    ['an outage', () => new Response('<html>', { status: 502 }), 'later'],
    ['a page instead of a token', () => new Response('<html>'), 'later'],
    ['a token that no header can hold', () => json(200, { access_token: 'a\r\nb', expires_in: 9 }), 'later'],
  ])('says what to do after %s', async (_, answer, kind) => {
    upstream.token = answer
    const got = await tokens.get()
    expect(got.kind).toBe(kind)
    expect(JSON.stringify(got)).not.toContain('secret words')
    if ('afterMs' in got) expect(got.afterMs).toBe(answer().headers.has('Retry-After') ? 9_000 : 0)
  })

  test('gives up after the time limit, and when the relay stops', async () => {
    upstream.token = () => new Promise<Response>(() => {})
    const slow = tokens.get()
    await time.advance(30_000)
    expect(await slow).toMatchObject({ kind: 'later', reason: expect.stringContaining('30000 ms') })
    const cut = tokens.get()
    await time.advance(1_000)
    stop.abort()
    expect(await cut).toMatchObject({ kind: 'stopped' })
  })
})
