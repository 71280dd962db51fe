import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { grantTokens } from '../../src/grant.ts'
import { failure } from '../support/fake-clock.ts'
import {
  batchOf,
  calls,
  GRANT_SECRET,
  openTestRelay,
  PUBLIC_URL,
  readAnswer,
  type TestRelay,
} from '../support/relay-fixture.ts'

const OPTIONS = {
  relay: PUBLIC_URL,
  keyId: 'app',
  secret: GRANT_SECRET,
  account: 'acme',
  device: 'server-1',
  meters: [calls],
}

describe('grantTokens, at a real relay', () => {
  let relay: TestRelay
  const bodies: string[] = []
  beforeEach(async () => {
    relay = await openTestRelay()
    relay.clock.nowMs = Date.now()
  })
  afterEach(async () => {
    bodies.length = 0
    await relay.close()
  })

  const fetch: typeof globalThis.fetch = async (input, init) => {
    bodies.push(String(init?.body))
    return relay.request(new URL(String(input)).pathname, init)
  }

  test('gives tokens that the relay takes, a new one at each call', async () => {
    const token = grantTokens({ ...OPTIONS, fetch })
    const [first, second] = [await token(), await token()]
    const sentAt = Date.now()
    const event = ['calls', sentAt - 1_000, { quantity: 1 }]
    const answer = await readAnswer(await relay.send(batchOf([event], { sentAt }), first))
    expect(Object.values(answer.received)).toEqual([[[0, 0]]])
    expect((await relay.send(batchOf([event], { sentAt }), second)).status).toBe(200)
    expect(new Set(bodies).size).toBe(2)
  })

  test('lets nothing be recorded but the meters that it names', async () => {
    const token = await grantTokens({ ...OPTIONS, meters: ['storage'], fetch })()
    const sentAt = Date.now()
    const answer = await readAnswer(await relay.send(batchOf([['calls', sentAt, { quantity: 1 }]], { sentAt }), token))
    expect(answer.rejected).toMatchObject([{ seq: 0 }])
  })

  test('says what the relay said, and no secret', async () => {
    const wrong = 'another-secret-of-thirty-two-bytes-or-more'
    const error = await failure(grantTokens({ ...OPTIONS, secret: wrong, fetch }))
    expect(error).toMatchObject({ name: 'MetertapError', code: 'token_unavailable' })
    expect(error.message).toContain('401: invalid_grant')
    const told = `${error.message} ${error.stack} ${JSON.stringify(error)} ${String(error.cause)}`
    for (const secret of [wrong, JSON.parse(bodies[0] ?? '').grant as string]) expect(told).not.toContain(secret)
  })
})

describe('grantTokens', () => {
  const answering = (response: () => Response | Promise<Response>) => ({
    ...OPTIONS,
    fetch: (async () => response()) as typeof globalThis.fetch,
  })

  test.each([
    ['no answer', () => Promise.reject(new TypeError('fetch failed')), 'did not answer (TypeError)'],
    ['a redirect', () => new Response(null, { status: 307, headers: { location: 'https://evil.test' } }), '307'],
    ['a page', () => new Response('<html>'), 'holds no token'],
    ['JSON without a token', () => Response.json([1]), 'holds no token'],
    ['an overloaded relay', () => new Response('null', { status: 503 }), 'answered 503'],
  ])('%s is an error that says what to do, and the next call tries anew', async (_, response, words) => {
    const token = grantTokens(answering(response))
    const error = await failure(token)
    expect(error).toMatchObject({ code: 'token_unavailable', message: expect.stringContaining(words) })
    expect(`${error.message} ${error.cause}`).not.toContain(GRANT_SECRET)
  })

  test('gives up a relay that does not answer', async () => {
    const fetch: typeof globalThis.fetch = (_, init) =>
      new Promise((_resolve, reject) => init?.signal?.addEventListener('abort', () => reject(init.signal?.reason)))
    const error = await failure(grantTokens({ ...OPTIONS, fetch, timeoutMs: 5 }))
    expect(error).toMatchObject({ code: 'token_unavailable', message: expect.stringContaining('TimeoutError') })
  })

  test.each([
    ['relay', { relay: 'usage.example.com' }],
    ['secret', { secret: 'short' }],
    ['secret', { secret: undefined }],
    ['keyId', { keyId: '' }],
    ['account', { account: '' }],
    ['meters', { meters: undefined }],
    ['meters', { meters: [{}] }],
    ['expiresInS', { expiresInS: 301 }],
  ])('names the option %s that does not fit, at once', (option, wrong) => {
    const options = { ...OPTIONS, ...wrong } as Parameters<typeof grantTokens>[0]
    expect(() => grantTokens(options)).toThrow(expect.objectContaining({ code: 'bad_option', detail: { option } }))
  })
})
