import { createLocalJWKSet, exportJWK, generateKeyPair, type JWK, jwtVerify, SignJWT } from 'jose'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import type { RelayConfig } from '../../src/relay.ts'
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

const NOW_S = NOW_MS / 1000
const ISSUER = 'https://login.example.com'
const JWKS_URL = 'https://login.example.com/jwks'
type Session = NonNullable<RelayConfig['sessions']>[number]

/** An application's identity provider: signs sessions, serves its keys, can be down. */
async function createProvider() {
  const pairs: { kid: string; privateKey: CryptoKey; jwk: JWK }[] = []
  const provider = {
    fetches: 0,
    isDown: false,
    async addKey(kid: string): Promise<void> {
      const { privateKey, publicKey } = await generateKeyPair('ES256', { extractable: true })
      pairs.push({ kid, privateKey, jwk: { ...(await exportJWK(publicKey)), kid, alg: 'ES256' } })
    },
    sign(claims: Record<string, unknown> = {}, header: Record<string, unknown> = {}): Promise<string> {
      const { kid, privateKey } = pairs.at(-1) as (typeof pairs)[number]
      const payload = { iss: ISSUER, aud: 'usage', sub: 'acme', sid: 'phone', iat: NOW_S, exp: NOW_S + 3600, ...claims }
      return new SignJWT(payload).setProtectedHeader({ alg: 'ES256', kid, ...header }).sign(privateKey)
    },
    async fetch(url: unknown): Promise<Response> {
      provider.fetches++
      if (provider.isDown) throw new TypeError('fetch failed')
      if (String(url) !== JWKS_URL) return new Response('', { status: 404 })
      return Response.json({ keys: pairs.map(({ jwk }) => jwk) })
    },
  }
  await provider.addKey('one')
  return provider
}

let provider: Awaited<ReturnType<typeof createProvider>>
let relay: TestRelay
const session: Session = { issuer: ISSUER, audience: 'usage', jwksUrl: JWKS_URL, meters: ['calls'], deviceClaim: 'sid' }

async function open(change: Partial<Session> = {}): Promise<void> {
  provider = await createProvider()
  const { deviceClaim, ...rest } = { ...session, ...change }
  const issuer = { ...rest, ...(deviceClaim === undefined ? {} : { deviceClaim }) }
  relay = await openTestRelay(
    { sessions: [issuer], grants: [], admin: { key: ADMIN_KEY } },
    { fetch: provider.fetch as typeof fetch },
  )
}
beforeEach(() => open())
afterEach(() => relay.close())

function swap(body: unknown): Promise<Response> {
  const headers = { 'Content-Type': 'application/json' }
  return relay.request('/v1/token', { method: 'POST', headers, body: JSON.stringify(body) })
}

async function claimsOf(response: Response): Promise<Record<string, unknown>> {
  const { token } = (await response.json()) as { token: string }
  const jwks = await (await relay.request('/.well-known/jwks.json')).json()
  const { payload } = await jwtVerify(token, createLocalJWKSet(jwks), { currentDate: new Date(NOW_MS) })
  return payload
}

test('a session is swapped for a token of its account and device, which works', async () => {
  const response = await swap({ session: await provider.sign() })
  const { token } = (await response.clone().json()) as { token: string }
  expect(await claimsOf(response)).toMatchObject({ sub: 'acme', device: 'phone', meters: ['calls'] })
  expect((await readAnswer(await relay.send(batchOf([goodEvent()]), token))).received).toEqual({ [STREAM]: [[0, 0]] })
})

test('a session may be swapped again: it is the user’s, not a nonce', async () => {
  const proof = await provider.sign()
  for (let round = 0; round < 3; round++) expect((await swap({ session: proof })).status).toBe(200)
  expect(provider.fetches, 'the keys are kept').toBe(1)
})

test('claims, meters and rate are where the configuration says', async () => {
  await relay.close()
  await open({
    accountClaim: 'https://acme/tenant',
    metersClaim: 'can',
    meters: ['calls', 'storage'],
    ratePerMinute: 7,
  })
  const proof = await provider.sign({ 'https://acme/tenant': 't-1', can: ['storage', 'everything'] })
  expect(await claimsOf(await swap({ session: proof }))).toMatchObject({ sub: 't-1', meters: ['storage'], rate: 7 })
  const without = await provider.sign({ 'https://acme/tenant': 't-1' })
  expect(await claimsOf(await swap({ session: without })), 'no claim, no meter').toMatchObject({ meters: [] })
})

test('without a device claim the client names its device, and must', async () => {
  await relay.close()
  await open({ deviceClaim: undefined as never })
  const proof = await provider.sign()
  expect(await claimsOf(await swap({ session: proof, device: 'tablet' }))).toMatchObject({ device: 'tablet' })
  expect(await readProblem(await swap({ session: proof }))).toMatchObject({ status: 401, code: 'invalid_session' })
  for (const device of ['', 'x'.repeat(201), 'a\u0007b', 'a\ud800']) {
    expect(await readProblem(await swap({ session: proof, device }))).toMatchObject({ code: 'invalid_session' })
  }
})

const refusals: [name: string, code: string, make: () => Promise<string> | string][] = [
  ['ended', 'session_expired', () => provider.sign({ exp: NOW_S - 31 })],
  ['for another audience', 'invalid_session', () => provider.sign({ aud: 'other' })],
  ['of an unknown issuer', 'invalid_session', () => provider.sign({ iss: 'https://evil.example.com' })],
  ['without an end', 'invalid_session', () => provider.sign({ exp: undefined })],
  ['without an account', 'invalid_session', () => provider.sign({ sub: undefined })],
  ['with an account of no text', 'invalid_session', () => provider.sign({ sub: '', sid: 'x' })],
  ['without a device', 'invalid_session', () => provider.sign({ sid: undefined })],
  ['that is not yet', 'invalid_session', () => provider.sign({ nbf: NOW_S + 60 })],
  ['that is no JWT', 'invalid_session', () => 'x.y.z'],
  [
    'signed with a shared secret',
    'invalid_session',
    () =>
      new SignJWT({ iss: ISSUER, aud: 'usage', sub: 'acme', sid: 'p', iat: NOW_S, exp: NOW_S + 60 })
        .setProtectedHeader({ alg: 'HS256', kid: 'one' })
        .sign(new Uint8Array(32).fill(1)),
  ],
  [
    'signed by another key of that name',
    'invalid_session',
    async () => {
      const other = await createProvider()
      return await other.sign()
    },
  ],
]
test.each(refusals)('a session %s is refused: %s', async (_name, code, make) => {
  const proof = await make()
  const refusal = await readProblem(await swap({ session: proof }))
  expect(refusal).toMatchObject({ status: 401, code })
  expect(JSON.stringify(refusal)).not.toContain(proof)
})

test('a new key of the issuer is fetched when a session names it, but not by every unknown one', async () => {
  vi.useFakeTimers({ toFake: ['Date'] })
  try {
    await swap({ session: await provider.sign() })
    await provider.addKey('two')
    const renewed = await provider.sign()
    expect(await readProblem(await swap({ session: renewed }))).toMatchObject({ code: 'invalid_session' })
    expect(provider.fetches, 'fetched a moment ago').toBe(1)
    vi.setSystemTime(Date.now() + 31_000)
    expect((await swap({ session: renewed })).status).toBe(200)
    expect(provider.fetches).toBe(2)
    vi.setSystemTime(Date.now() + 601_000)
    provider.isDown = true
    expect((await swap({ session: renewed })).status, 'keys that are known go on while new ones cannot be had').toBe(
      200,
    )
  } finally {
    vi.useRealTimers()
  }
})

test('an issuer that cannot be reached: 503, and the client keeps its session', async () => {
  provider.isDown = true
  const response = await swap({ session: await provider.sign() })
  expect(response.headers.get('retry-after')).toBe('5')
  expect(await readProblem(response)).toMatchObject({ status: 503, code: 'unavailable' })
  expect(relay.log).toMatchObject([{ level: 'warn', event: 'session_keys_failed', fields: { issuer: ISSUER } }])
  provider.isDown = false
  expect((await swap({ session: await provider.sign() })).status).toBe(200)
})

test('revoking an account ends its sessions and tokens, and no other’s', async () => {
  const old = await provider.sign()
  const { token } = (await (await swap({ session: old })).json()) as { token: string }
  const other = (await (await swap({ session: await provider.sign({ sub: 'other' }) })).json()) as { token: string }
  relay.clock.nowMs += 5_000
  const headers = { Authorization: `Bearer ${ADMIN_KEY}`, 'Content-Type': 'application/json' }
  const revoked = await relay.adminRequest('/v1/revocations', {
    ...{ method: 'POST', headers, body: JSON.stringify({ account: 'acme' }) },
  })
  expect(await revoked.json()).toEqual({ revocation: { tenant: 'default', account: 'acme', beforeMs: NOW_MS + 5_000 } })
  expect(await readProblem(await relay.send(batchOf([goodEvent()]), token))).toMatchObject({ code: 'token_revoked' })
  expect(await readProblem(await swap({ session: old }))).toMatchObject({ status: 401, code: 'token_revoked' })
  expect((await relay.send(batchOf([goodEvent()]), other.token)).status).toBe(200)
  const fresh = await swap({ session: await provider.sign({ iat: NOW_S + 5 }) })
  expect(fresh.status).toBe(200)
})

test('revoking one device leaves the account’s others', async () => {
  const phone = (await (await swap({ session: await provider.sign() })).json()) as { token: string }
  const tablet = (await (await swap({ session: await provider.sign({ sid: 'tablet' }) })).json()) as { token: string }
  await relay.send(batchOf([goodEvent()]), phone.token)
  await relay.relay.store.revoke({ tenant: 'default', account: 'acme', device: 'phone', beforeMs: NOW_MS + 1 })
  expect(await readProblem(await relay.send(batchOf([goodEvent()]), phone.token))).toMatchObject({
    status: 401,
    code: 'token_revoked',
  })
  expect((await relay.send(batchOf([goodEvent()]), tablet.token)).status).toBe(200)
  await relay.relay.store.revoke({ tenant: 'default', account: 'acme', device: 'phone', beforeMs: 1 })
  expect(await relay.relay.store.revocations(), 'an earlier time takes nothing back').toEqual([
    { tenant: 'default', account: 'acme', device: 'phone', beforeMs: NOW_MS + 1 },
  ])
})
