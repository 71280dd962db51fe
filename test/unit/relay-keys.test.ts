import { decodeProtectedHeader, type JWK } from 'jose'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { needsTurn, PUBLISH_AHEAD_MS, replaceRing, signerOf, turnRing } from '../../src/relay/tokens/ring.ts'
import { ADMIN_KEY, batchOf, goodEvent, openTestRelay, readProblem, type TestRelay } from '../support/relay-fixture.ts'

const DAY_MS = 86_400_000
const MINUTE_MS = 60_000

describe('a ring of keys', () => {
  const key = (x: string): JWK => ({ kty: 'OKP', crv: 'Ed25519', x })

  test('turns: the next key is published first, signs later, and the old one stays for its tokens', () => {
    const one = replaceRing(key('one'), 0)
    expect(signerOf(one, 0).x).toBe('one')
    expect(needsTurn(one, DAY_MS - PUBLISH_AHEAD_MS - 1, DAY_MS)).toBe(false)
    const turnAtMs = DAY_MS - PUBLISH_AHEAD_MS
    expect(needsTurn(one, turnAtMs, DAY_MS)).toBe(true)
    const two = turnRing(one, key('two'), turnAtMs, 15 * MINUTE_MS)
    expect(two.keys).toHaveLength(2)
    expect(needsTurn(two, turnAtMs, DAY_MS)).toBe(false)
    expect(signerOf(two, DAY_MS - 1).x).toBe('one')
    expect(signerOf(two, DAY_MS).x).toBe('two')
    const three = turnRing(two, key('three'), 2 * DAY_MS, 15 * MINUTE_MS)
    expect(three.keys.map(({ jwk }) => jwk.x)).toEqual(['two', 'three'])
  })

  test('keeps a key as long as a token that it signed may live', () => {
    const two = turnRing(replaceRing(key('one'), 0), key('two'), 0, 15 * MINUTE_MS)
    const lastTokenEndsMs = PUBLISH_AHEAD_MS + 15 * MINUTE_MS
    expect(turnRing(two, key('three'), lastTokenEndsMs, 15 * MINUTE_MS).keys).toHaveLength(3)
    expect(turnRing(two, key('three'), lastTokenEndsMs + 61_000, 15 * MINUTE_MS).keys).toHaveLength(2)
  })

  test('a clock that was set back still has a signer', () => {
    expect(signerOf(replaceRing(key('one'), 1_000_000), 0).x).toBe('one')
  })
})

describe('the relay’s keys', () => {
  let relay: TestRelay
  beforeEach(async () => {
    relay = await openTestRelay({ signingKeyDays: 1, admin: { key: ADMIN_KEY } })
  })
  afterEach(() => relay.close())

  const published = async (from = relay): Promise<string[]> => {
    const { keys } = (await (await from.request('/.well-known/jwks.json')).json()) as { keys: { kid: string }[] }
    return keys.map(({ kid }) => kid)
  }
  const kidOf = (token: string): string => decodeProtectedHeader(token).kid ?? ''

  test('turn by themselves; no token is lost on the way', async () => {
    const [first] = await published()
    relay.clock.nowMs += DAY_MS - PUBLISH_AHEAD_MS
    const old = await relay.token()
    expect(kidOf(old)).toBe(first)
    const both = await published()
    expect(both).toHaveLength(2)
    relay.clock.nowMs += PUBLISH_AHEAD_MS
    const fresh = await relay.token()
    expect(kidOf(fresh)).toBe(both[1])
    for (const token of [old, fresh]) expect((await relay.send(batchOf([goodEvent()]), token)).status).toBe(200)
    relay.clock.nowMs += DAY_MS
    await relay.token()
    expect(await published()).not.toContain(first)
  })

  test('are shared by the processes of one store, whoever turns them', async () => {
    const other = await openTestRelay({ signingKeyDays: 1, store: { sqlite: `${relay.folder}/relay.db` } })
    relay.clock.nowMs += DAY_MS
    other.clock.nowMs = relay.clock.nowMs
    const [mine, theirs] = await Promise.all([published(), published(other)])
    expect(theirs).toEqual(mine)
    relay.clock.nowMs += PUBLISH_AHEAD_MS
    other.clock.nowMs = relay.clock.nowMs
    expect((await other.send(batchOf([goodEvent()]), await relay.token())).status).toBe(200)
    await other.close()
  })

  test('can be thrown away at once: every token ends, here and elsewhere', async () => {
    const other = await openTestRelay({ store: { sqlite: `${relay.folder}/relay.db` } })
    const token = await relay.token()
    for (const one of [relay, other]) expect((await one.send(batchOf([goodEvent()]), token)).status).toBe(200)
    const headers = { Authorization: `Bearer ${ADMIN_KEY}` }
    const replaced = await relay.adminRequest('/v1/signing-keys/replace', { method: 'POST', headers })
    const { keys } = (await replaced.json()) as { keys: { kid: string }[] }
    expect(keys).toHaveLength(1)
    expect(keys[0]?.kid).not.toBe(kidOf(token))
    expect(await readProblem(await relay.send(batchOf([goodEvent()]), token))).toMatchObject({ code: 'unauthorized' })
    other.clock.nowMs += 10_000
    expect(await readProblem(await other.send(batchOf([goodEvent()]), token))).toMatchObject({ code: 'unauthorized' })
    expect((await relay.send(batchOf([goodEvent()]))).status).toBe(200)
    await other.close()
  })

  test('tokens that name keys which never were do not make the relay read its store each time', async () => {
    let reads = 0
    const { secret } = relay.relay.store
    relay.relay.store.secret = (name, create) => {
      reads++
      return secret(name, create)
    }
    const forged = 'eyJhbGciOiJFZERTQSIsInR5cCI6ImF0K2p3dCIsImtpZCI6Im5vbmUifQ.e30.AAAA'
    for (let round = 0; round < 20; round++) expect((await relay.send(batchOf([]), forged)).status).toBe(401)
    expect(reads).toBeLessThanOrEqual(1)
  })
})
