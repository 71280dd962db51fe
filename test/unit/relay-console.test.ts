import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { tellWay } from '../../src/relay/operate/event-way.ts'
import { toDays } from '../../src/relay/operate/ledger-days.ts'
import type { LedgerRow } from '../../src/relay/store/contract.ts'
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

const HOST = 'http://admin.example.com'
const OWN = { Origin: HOST, 'Sec-Fetch-Site': 'same-origin' }
const HOUR_MS = 3_600_000

let relay: TestRelay
beforeEach(async () => {
  relay = await openTestRelay({ admin: { key: ADMIN_KEY } })
})
afterEach(() => relay.close())

function post(path: string, body: unknown, headers: Record<string, string> = OWN): Promise<Response> {
  const init = { method: 'POST', headers: { 'Content-Type': 'application/json', ...headers } }
  return relay.adminRequest(path, { ...init, body: JSON.stringify(body) })
}

async function signIn(): Promise<string> {
  const response = await post('/console/login', { key: ADMIN_KEY })
  expect(response.status).toBe(200)
  return response.headers.get('set-cookie')?.split(';')[0] ?? ''
}

const read = (path: string, headers: Record<string, string>): Promise<Response> => relay.adminRequest(path, { headers })

describe('the console’s page', () => {
  test('is served whole to anybody, under a policy that lets nothing in or out', async () => {
    for (const path of ['/console', '/console/page.js', '/console/page.css', '/console/icon.svg']) {
      const response = await read(path, {})
      expect(response.status, path).toBe(200)
      expect((await response.text()).length, path).toBeGreaterThan(100)
      const policy = response.headers.get('content-security-policy')
      expect(policy).toContain("default-src 'none'; script-src 'self'; style-src 'self'")
      expect(policy).toContain("connect-src 'self'")
      expect(policy).toContain("require-trusted-types-for 'script'; trusted-types 'none'")
      expect(policy).not.toMatch(/unsafe|https?:|\*/)
      expect(response.headers.get('cross-origin-resource-policy')).toBe('same-origin')
    }
  })

  test('is not there without an admin key, nor on the agents’ port', async () => {
    expect((await relay.request('/console')).status).toBe(404)
    const bare = await openTestRelay()
    expect((await bare.adminRequest('/console')).status).toBe(404)
    await bare.close()
  })
})

describe('a session', () => {
  test('is opened by the key, and kept in a cookie that scripts and other sites cannot use', async () => {
    const response = await post('/console/login', { key: ADMIN_KEY })
    const cookie = response.headers.get('set-cookie') ?? ''
    expect(cookie).toMatch(/; Max-Age=28800; Path=\/console; HttpOnly; SameSite=Strict$/)
    expect(cookie).not.toContain(ADMIN_KEY)
    const ledger = await read('/console/v1/ledger', { Cookie: cookie.split(';')[0] ?? '', ...OWN })
    expect(await ledger.json()).toMatchObject({ totals: { streams: 0 } })
  })

  test('is for https alone where the page came by https', async () => {
    const response = await post('/console/login', { key: ADMIN_KEY }, { ...OWN, Origin: 'https://admin.example.com' })
    expect(response.headers.get('set-cookie')).toContain('; Secure')
  })

  test.each(['', 'x', `${ADMIN_KEY}x`, ADMIN_KEY.slice(1)])('is not opened by a wrong key: %s', async (key) => {
    const response = await post('/console/login', { key })
    expect([400, 401]).toContain(response.status)
    expect(response.headers.get('set-cookie')).toBeNull()
  })

  test('ends after eight hours, by a sign-out, and with another key', async () => {
    const cookie = await signIn()
    const status = async (of: string): Promise<number> =>
      (await read('/console/v1/ledger', { Cookie: of, ...OWN })).status
    relay.clock.nowMs = NOW_MS + 8 * HOUR_MS - 1
    expect(await status(cookie)).toBe(200)
    relay.clock.nowMs = NOW_MS + 8 * HOUR_MS
    expect(await status(cookie)).toBe(401)
    // Nobody makes its life longer.
    expect(await status(cookie.replace(/=\d+/, `=${NOW_MS + 99 * HOUR_MS}`))).toBe(401)
    const left = await post('/console/logout', {}, { ...OWN, Cookie: cookie })
    expect(left.headers.get('set-cookie')).toContain('Max-Age=0')

    relay.clock.nowMs = NOW_MS
    const other = await openTestRelay({ admin: { key: 'another-key-of-thirty-two-bytes-or-more' } })
    expect((await other.adminRequest('/console/v1/ledger', { headers: { Cookie: cookie, ...OWN } })).status).toBe(401)
    await other.close()
  })

  test('is tried ten times a minute from one address, no more, with the right key either', async () => {
    for (let attempt = 0; attempt < 10; attempt++)
      expect((await post('/console/login', { key: 'guess' })).status).toBe(401)
    const refused = await post('/console/login', { key: ADMIN_KEY })
    expect(refused.headers.get('retry-after')).toBe('6')
    expect(await readProblem(refused)).toMatchObject({ status: 429, code: 'rate_limited' })
    relay.clock.nowMs += 6_000
    expect((await post('/console/login', { key: ADMIN_KEY })).status).toBe(200)
  })

  test('opens what the page works with, not keys, backups, metrics or revocations', async () => {
    const Cookie = await signIn()
    for (const path of [
      '/v1/signing-keys/replace',
      '/v1/backup',
      '/v1/revocations',
      '/v1/reconcile',
      '/v1/days/../backup',
    ]) {
      expect((await post(`/console${path}`, {}, { ...OWN, Cookie })).status, path).toBe(404)
    }
    expect((await read('/console/metrics', { ...OWN, Cookie })).status).toBe(404)
    // The API itself knows no session.
    expect((await read('/v1/ledger', { ...OWN, Cookie })).status).toBe(401)
  })
})

describe('another page of the same host', () => {
  const foreign: [string, Record<string, string>][] = [
    ['another origin', { Origin: 'http://evil.example.com' }],
    ['another port', { Origin: 'http://admin.example.com:4600' }],
    ['no origin', {}],
    ['an opaque origin', { Origin: 'null' }],
    ['another site, as the browser says', { Origin: HOST, 'Sec-Fetch-Site': 'cross-site' }],
    ['another port, as the browser says', { Origin: HOST, 'Sec-Fetch-Site': 'same-site' }],
    ['an address bar', { Origin: HOST, 'Sec-Fetch-Site': 'none' }],
  ]
  test.each(foreign)('changes nothing with the session: %s', async (_name, headers) => {
    const Cookie = await signIn()
    const answers = [
      await post('/console/v1/lanes/calls/pause', { reason: 'x' }, { ...headers, Cookie }),
      await post('/console/login', { key: ADMIN_KEY }, headers),
      await post('/console/logout', {}, { ...headers, Cookie }),
    ]
    for (const answer of answers) {
      expect(answer.headers.get('set-cookie')).toBeNull()
      expect(await readProblem(answer)).toMatchObject({ status: 403, code: 'forbidden' })
    }
    expect((await relay.relay.store.backlog()).some(({ paused }) => paused !== undefined)).toBe(false)
  })

  test('reads nothing either', async () => {
    const Cookie = await signIn()
    for (const site of ['cross-site', 'same-site', 'none']) {
      expect((await read('/console/v1/ledger', { Cookie, 'Sec-Fetch-Site': site })).status, site).toBe(403)
    }
  })
})

test('neither key nor session ever reaches the log', async () => {
  const cookie = await signIn()
  await post('/console/login', { key: `${ADMIN_KEY}x` })
  await read(`/console/v1/ledger?limit=x`, { Cookie: cookie, ...OWN })
  relay.relay.store.totals = () => Promise.reject(new Error('disk'))
  expect((await read('/console/v1/ledger', { Cookie: cookie, ...OWN })).status).toBe(503)
  const text = JSON.stringify(relay.log, (_key, value) => (value instanceof Error ? String(value.stack) : value))
  expect(text).toContain('store_failed')
  expect(text).not.toContain(ADMIN_KEY)
  expect(text).not.toContain(cookie.split('=')[1])
})

describe('the ledger by day and by event', () => {
  const admin = async (path: string): Promise<Record<string, unknown>> =>
    (await (await read(path, { Authorization: `Bearer ${ADMIN_KEY}` })).json()) as Record<string, unknown>

  test('adds streams up by account and by the day on which they were first seen', async () => {
    const streams = [{ id: STREAM, recorded: 5, dropped: { storage_full: 1 } }]
    await readAnswer(await relay.send(batchOf([goodEvent(), goodEvent()], { streams })))
    const { days, isWhole } = await admin('/v1/days')
    expect(isWhole).toBe(true)
    const dayMs = Date.UTC(2026, 10, 23)
    const sums = { streams: 1, recorded: 5, received: 2, declared: 1, rejected: 0, missing: 2 }
    expect(days).toEqual([{ tenant: 'default', account: 'acme', dayMs, ...sums }])
    expect((await admin('/v1/days?account=other')).days).toEqual([])
  })

  test('tells an event’s way: on its way, missing, dead with its reason and times, forwarded', async () => {
    const streams = [{ id: STREAM, recorded: 3, dropped: {} }]
    await readAnswer(await relay.send(batchOf([goodEvent(), goodEvent()], { streams })))
    const way = async (seq: number): Promise<unknown> => (await admin(`/v1/events/${STREAM}-${seq}`)).ways
    expect(await way(0)).toMatchObject([{ account: 'acme', device: 'laptop', states: ['on_its_way'] }])
    expect(await way(2)).toMatchObject([{ states: ['missing'], steps: [{ step: 'stream_begun' }] }])
    expect(await way(3)).toMatchObject([{ states: ['not_recorded'] }])

    const { store } = relay.relay
    const claim = { lane: 'calls', owner: 'test', leaseMs: 1, nowMs: NOW_MS, maxEvents: 1 }
    const build = () => ({ taken: 1, body: new Uint8Array(), rows: 1, bytes: 0, unmappable: [] })
    await store.buryDelivery((await store.openDelivery(claim, build))?.id ?? '', '53100320', 'bad row', NOW_MS + 5)
    expect(await way(0)).toMatchObject([
      {
        states: ['dead'],
        steps: [
          { step: 'stream_begun' },
          { step: 'recorded', atMs: NOW_MS - 1000 },
          { step: 'received', atMs: NOW_MS },
          { step: 'dead', atMs: NOW_MS + 5, detail: '53100320: bad row' },
        ],
        deadLetter: { data: { quantity: 1 } },
      },
    ])
    const last = await store.openDelivery(claim, build)
    await store.parkDelivery(last?.id ?? '', 'in doubt', NOW_MS + 7)
    expect(await way(1)).toMatchObject([{ states: ['parked'] }])
    await store.resolveParked(last?.id ?? '', 'accepted', NOW_MS + 9)
    expect(await way(1)).toMatchObject([
      {
        states: ['forwarded'],
        steps: [{ step: 'stream_begun' }, { step: 'received', fromMs: NOW_MS, untilMs: NOW_MS }],
      },
    ])
  })

  test.each([`${STREAM}`, 'x', `${STREAM}-x`, `${STREAM}-9999999999999999`])('knows no event %s', async (id) => {
    expect((await read(`/v1/events/${id}`, { Authorization: `Bearer ${ADMIN_KEY}` })).status).toBe(404)
  })

  const row: LedgerRow = {
    ...{
      tenant: 't',
      account: 'a',
      device: 'd',
      stream: STREAM,
      recorded: 10,
      received: 10,
      declared: {},
      refused: {},
    },
    ...{ rejected: 0, forwarded: 10, dead: 0, discarded: 0, deduplicated: 0, held: 0, missing: 0 },
    ...{ firstSeenMs: 1, lastSeenMs: 2 },
  }
  const tell = (change: Partial<LedgerRow>) =>
    tellWay(4, {
      ...{ row: { ...row, ...change }, gaps: undefined, letter: undefined, areLettersWhole: true, parked: undefined },
    }).states

  test('says what the counts leave open, and nothing more', () => {
    expect(tell({})).toEqual(['forwarded'])
    expect(tell({ forwarded: 6 })).toEqual(['forwarded', 'on_its_way'])
    expect(tell({ forwarded: 0, held: 10 })).toEqual(['held'])
    expect(tell({ received: 8, rejected: 2, forwarded: 7, deduplicated: 1 })).toEqual([
      ...['forwarded', 'deduplicated', 'refused'],
    ])
    expect(tell({ forwarded: 9, dead: 1 }), 'every letter was looked at').toEqual(['forwarded'])
  })

  test('keeps days, accounts and tenants apart', () => {
    const days = toDays([
      row,
      row,
      { ...row, account: 'b' },
      { ...row, tenant: 'u' },
      { ...row, firstSeenMs: 86_400_000 },
    ])
    expect(days.map(({ streams }) => streams).toSorted()).toEqual([1, 1, 1, 2])
  })
})
