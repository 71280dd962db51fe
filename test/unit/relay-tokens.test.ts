import {
  base64url,
  decodeJwt,
  decodeProtectedHeader,
  exportJWK,
  generateKeyPair,
  importJWK,
  type JWK,
  SignJWT,
} from 'jose'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { createGrant } from '../../src/relay.ts'
import {
  batchOf,
  GRANT_SECRET,
  goodEvent,
  NOW_MS,
  ORIGIN,
  openTestRelay,
  PUBLIC_URL,
  readAnswer,
  readProblem,
  STREAM,
  type TestRelay,
} from '../support/relay-fixture.ts'

const NOW_S = NOW_MS / 1000
const SECRET = new TextEncoder().encode(GRANT_SECRET)

let relay: TestRelay
beforeEach(async () => {
  relay = await openTestRelay({ tokenLifeS: 600 })
})
afterEach(() => relay.close())

function swap(body: unknown, headers: Record<string, string> = {}): Promise<Response> {
  const init = {
    method: 'POST',
    headers: { 'Content-Type': 'application/json', ...headers },
    body: JSON.stringify(body),
  }
  return relay.request('/v1/token', init)
}

/** The relay's own private key, as a thief would have it. */
async function stolenKey(): Promise<{ jwk: JWK; kid: string }> {
  const ring = JSON.parse(await relay.relay.store.secret('signing-keys', async () => '')) as { keys: { jwk: JWK }[] }
  const { jwk } = ring.keys[0] as { jwk: JWK }
  const { keys } = (await (await relay.request('/.well-known/jwks.json')).json()) as { keys: { kid: string }[] }
  return { jwk, kid: keys[0]?.kid ?? '' }
}

/** A token as the relay makes it, with changes. */
async function signToken(changes: Record<string, unknown> = {}, header: Record<string, unknown> = {}): Promise<string> {
  const { jwk, kid } = await stolenKey()
  const claims = {
    iss: PUBLIC_URL,
    aud: PUBLIC_URL,
    sub: 'acme',
    device: 'laptop',
    meters: ['calls'],
    tenant: 'default',
    iat: NOW_S,
    exp: NOW_S + 600,
    jti: 'j',
    ...changes,
  }
  return await new SignJWT(claims)
    .setProtectedHeader({ alg: 'EdDSA', typ: 'at+jwt', kid, ...header })
    .sign(await importJWK(jwk, 'EdDSA'))
}

describe('POST /v1/token', () => {
  test('swaps a grant for a token of the documented form', async () => {
    const response = await swap({ grant: await relay.grant({ meters: ['calls'] }) }, { Origin: ORIGIN })
    expect(response.status).toBe(200)
    expect(response.headers.get('cache-control')).toBe('no-store')
    expect(response.headers.get('access-control-allow-origin')).toBe(ORIGIN)
    const { token, expiresInS } = (await response.json()) as { token: string; expiresInS: number }
    expect(expiresInS).toBe(600)
    expect(decodeProtectedHeader(token)).toEqual({ alg: 'EdDSA', typ: 'at+jwt', kid: (await stolenKey()).kid })
    expect(decodeJwt(token)).toEqual({
      iss: PUBLIC_URL,
      aud: PUBLIC_URL,
      sub: 'acme',
      device: 'laptop',
      meters: ['calls'],
      tenant: 'default',
      iat: NOW_S,
      exp: NOW_S + 600,
      jti: expect.stringMatching(/^[0-9a-f-]{36}$/),
    })
  })

  test('an empty list of meters stays empty: such a token may record nothing', async () => {
    const answer = await readAnswer(await relay.send(batchOf([goodEvent()]), await relay.token([])))
    expect(answer).toMatchObject({ received: { [STREAM]: [] }, rejected: [{ code: 'meter_not_allowed' }] })
  })

  test('a grant works once, also after a restart', async () => {
    const grant = await relay.grant()
    expect((await swap({ grant })).status).toBe(200)
    expect(await readProblem(await swap({ grant }))).toMatchObject({ status: 401, code: 'grant_used' })
    const again = await openTestRelay({ store: { sqlite: `${relay.folder}/relay.db` } })
    const headers = { 'Content-Type': 'application/json' }
    const replay = await again.request('/v1/token', { method: 'POST', headers, body: JSON.stringify({ grant }) })
    expect(await readProblem(replay)).toMatchObject({ code: 'grant_used' })
    await again.close()
  })

  test('of two that come together one wins', async () => {
    const grant = await relay.grant()
    const statuses = await Promise.all(Array.from({ length: 5 }, async () => (await swap({ grant })).status))
    expect(statuses.toSorted()).toEqual([200, 401, 401, 401, 401])
  })

  test('a grant ends, with some tolerance for the back end’s clock', async () => {
    const late = await relay.grant({ expiresInS: 60 })
    const later = await relay.grant({ expiresInS: 60 })
    relay.clock.nowMs += 89_999
    expect((await swap({ grant: late })).status).toBe(200)
    relay.clock.nowMs += 1
    expect(await readProblem(await swap({ grant: later }))).toMatchObject({ status: 401, code: 'grant_expired' })
  })

  const signGrant = (
    claims: Record<string, unknown>,
    header: Record<string, unknown> = {},
    secret = SECRET,
  ): Promise<string> =>
    new SignJWT({ sub: 'acme', device: 'd', meters: [], jti: 'n', iat: NOW_S, exp: NOW_S + 60, ...claims })
      .setProtectedHeader({ alg: 'HS256', typ: 'metertap-grant+jwt', kid: 'app', ...header } as never)
      .sign(secret)

  const forgeries: [string, () => Promise<string> | string][] = [
    ['another secret', () => signGrant({}, {}, new TextEncoder().encode('x'.repeat(32)))],
    ['an unknown key id', () => signGrant({}, { kid: 'other' })],
    ['a key id of every object', () => signGrant({}, { kid: '__proto__' })],
    ['no key id', () => signGrant({}, { kid: undefined })],
    ['another type', () => signGrant({}, { typ: 'JWT' })],
    ['another algorithm', () => signGrant({}, { alg: 'HS512' }, new Uint8Array(64).fill(1))],
    ['no subject', () => signGrant({ sub: undefined })],
    ['an empty account', () => signGrant({ sub: '' })],
    ['no device', () => signGrant({ device: undefined })],
    ['no meters', () => signGrant({ meters: undefined })],
    ['no nonce', () => signGrant({ jti: undefined })],
    ['no end', () => signGrant({ exp: undefined })],
    ['too long a life', () => signGrant({ exp: NOW_S + 301 })],
    ['a beginning in the future', () => signGrant({ iat: NOW_S + 200, exp: NOW_S + 300 })],
    [
      'no signature',
      () =>
        `${base64url.encode('{"alg":"none","typ":"metertap-grant+jwt","kid":"app"}')}.${base64url.encode(JSON.stringify({ sub: 'acme', device: 'd', meters: [], jti: 'n', iat: NOW_S, exp: NOW_S + 60 }))}.`,
    ],
    ['no form', () => 'x.y.z'],
  ]
  test('the forgeries below fail for what they change only', async () => {
    expect((await swap({ grant: await signGrant({}) })).status).toBe(200)
  })
  test.each(forgeries)('a grant with %s is refused', async (_name, forge) => {
    const grant = await forge()
    const response = await swap({ grant })
    expect(response.headers.get('www-authenticate')).toBe('Bearer error="invalid_grant"')
    const refusal = await readProblem(response)
    expect(refusal).toMatchObject({ status: 401, code: 'invalid_grant' })
    expect(JSON.stringify(refusal)).not.toContain(grant)
  })

  test('requests that hold no grant', async () => {
    expect(await readProblem(await swap({}))).toMatchObject({ status: 400, code: 'invalid_request' })
    expect(await readProblem(await swap(null))).toMatchObject({ code: 'invalid_request' })
    expect(await readProblem(await swap({ grant: 'x'.repeat(20_000) }))).toMatchObject({ code: 'body_too_large' })
    expect(await readProblem(await swap({}, { 'Content-Type': 'text/plain' }))).toMatchObject({
      code: 'unsupported_media_type',
    })
  })
})

describe('access tokens', () => {
  const codeFor = async (token: string): Promise<string> => {
    const response = await relay.send(batchOf([goodEvent()]), token)
    expect(response.headers.get('www-authenticate')).toMatch(/^Bearer /)
    const refusal = await readProblem(response)
    expect(refusal.status).toBe(401)
    if (token !== '') expect(JSON.stringify(refusal)).not.toContain(token)
    expect(await relay.relay.store.totals()).toMatchObject({ streams: 0 })
    return refusal.code
  }

  test('the forgeries below fail for what they change only', async () => {
    expect((await relay.send(batchOf([goodEvent()]), await signToken())).status).toBe(200)
  })

  const cases: [string, string, () => Promise<string> | string][] = [
    ['past its end', 'token_expired', () => signToken({ exp: NOW_S })],
    ['for another audience', 'wrong_audience', () => signToken({ aud: 'https://other.example.com' })],
    ['of another issuer', 'wrong_issuer', () => signToken({ iss: 'https://other.example.com' })],
    ['of another tenant', 'unauthorized', () => signToken({ tenant: 'other' })],
    ['of another type', 'unauthorized', () => signToken({}, { typ: 'JWT' })],
    ['without an end', 'unauthorized', () => signToken({ exp: undefined })],
    ['without meters', 'unauthorized', () => signToken({ meters: undefined })],
    ['without an account', 'unauthorized', () => signToken({ sub: undefined })],
    ['that is a grant', 'unauthorized', () => relay.grant()],
    ['that is no token', 'unauthorized', () => 'x.y.z'],
    ['that is empty', 'unauthorized', () => ''],
    [
      'signed by another key of the same kind',
      'unauthorized',
      async () => {
        const { privateKey } = await generateKeyPair('EdDSA', { crv: 'Ed25519' })
        const { kid } = await stolenKey()
        return await new SignJWT(decodeJwt(await signToken()))
          .setProtectedHeader({ alg: 'EdDSA', typ: 'at+jwt', kid })
          .sign(privateKey)
      },
    ],
    [
      'that brings its own key',
      'unauthorized',
      async () => {
        const { privateKey, publicKey } = await generateKeyPair('EdDSA', { crv: 'Ed25519', extractable: true })
        const header = { alg: 'EdDSA', typ: 'at+jwt', jwk: await exportJWK(publicKey) }
        return await new SignJWT(decodeJwt(await signToken())).setProtectedHeader(header).sign(privateKey)
      },
    ],
    [
      'without a signature (alg none)',
      'unauthorized',
      async () => {
        const [, payload] = (await signToken()).split('.')
        return `${base64url.encode('{"alg":"none","typ":"at+jwt"}')}.${payload}.`
      },
    ],
    [
      'signed with the public key as an HMAC secret',
      'unauthorized',
      async () => {
        const { jwk } = await stolenKey()
        const publicBytes = base64url.decode(jwk.x ?? '')
        return await new SignJWT(decodeJwt(await signToken()))
          .setProtectedHeader({ alg: 'HS256', typ: 'at+jwt', kid: (await stolenKey()).kid })
          .sign(publicBytes)
      },
    ],
    [
      'with another payload under its signature',
      'unauthorized',
      async () => {
        const [header, payload = '', signature] = (await signToken()).split('.')
        const claims = JSON.parse(new TextDecoder().decode(base64url.decode(payload)))
        return `${header}.${base64url.encode(JSON.stringify({ ...claims, sub: 'victim' }))}.${signature}`
      },
    ],
  ]
  test.each(cases)('one %s: %s', async (_name, code, forge) => {
    expect(await codeFor(await forge())).toBe(code)
  })

  test('lives as long as it says', async () => {
    const token = await relay.token()
    relay.clock.nowMs += 599_999
    expect((await relay.send(batchOf([goodEvent()]), token)).status).toBe(200)
    relay.clock.nowMs += 1
    expect(await readProblem(await relay.send(batchOf([goodEvent()]), token))).toMatchObject({ code: 'token_expired' })
  })

  test('outlives a restart, and its public key is published without the private half', async () => {
    const token = await relay.token()
    const keys = await (await relay.request('/.well-known/jwks.json')).json()
    expect(keys).toEqual({
      keys: [{ kty: 'OKP', crv: 'Ed25519', x: expect.any(String), kid: expect.any(String), alg: 'EdDSA', use: 'sig' }],
    })
    const again = await openTestRelay({ store: { sqlite: `${relay.folder}/relay.db` } })
    expect((await again.send(batchOf([goodEvent()]), token)).status).toBe(200)
    expect(await (await again.request('/.well-known/jwks.json')).json()).toEqual(keys)
    await again.close()
  })
})

describe('createGrant', () => {
  const good = { keyId: 'app', secret: GRANT_SECRET, account: 'a', device: 'd', meters: ['calls'] }

  test('needs nothing but its options', async () => {
    const grant = decodeJwt(await createGrant(good))
    expect(Number(grant.exp) - Number(grant.iat)).toBe(60)
    expect(grant.jti).not.toBe(decodeJwt(await createGrant(good)).jti)
  })

  test.each([
    ['keyId', { keyId: '' }],
    ['secret', { secret: 'x'.repeat(31) }],
    ['account', { account: '' }],
    ['account', { account: 'x'.repeat(201) }],
    ['device', { device: undefined as never }],
    ['meters', { meters: undefined as never }],
    ['meters', { meters: ['no meter'] }],
    ['meters', { meters: Array(101).fill('m') }],
    ['expiresInS', { expiresInS: 301 }],
    ['expiresInS', { expiresInS: 0 }],
    ['expiresInS', { expiresInS: 1.5 }],
  ])('names the option %s that does not fit', async (option, change) => {
    const refused = createGrant({ ...good, ...change })
    await expect(refused).rejects.toMatchObject({
      code: 'bad_option',
      message: expect.stringContaining(option),
      detail: { option },
    })
    await expect(refused).rejects.not.toThrow(GRANT_SECRET)
  })
})
