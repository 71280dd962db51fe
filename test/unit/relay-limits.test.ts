import { afterEach, describe, expect, test } from 'vitest'
import { createShares } from '../../src/relay/limits/budget.ts'
import { createPressure } from '../../src/relay/limits/pressure.ts'
import { addressKey } from '../../src/relay/limits/rate-limits.ts'
import { createTokenBuckets } from '../../src/relay/limits/token-buckets.ts'
import type { RelayConfig, RelayDeps } from '../../src/relay.ts'
import {
  ADMIN_KEY,
  batchOf,
  goodEvent,
  openTestRelay,
  readAnswer,
  readProblem,
  STREAM,
  type TestRelay,
} from '../support/relay-fixture.ts'

const MINUTE_MS = 60_000
const open: TestRelay[] = []
afterEach(async () => {
  for (const relay of open.splice(0)) await relay.close()
})

async function openRelay(limits: RelayConfig['limits'] = {}, deps: Partial<RelayDeps> = {}): Promise<TestRelay> {
  const relay = await openTestRelay({ limits, admin: { key: ADMIN_KEY } }, deps)
  open.push(relay)
  return relay
}

describe('token buckets', () => {
  test('hold a minute’s worth and fill evenly', () => {
    const buckets = createTokenBuckets(10)
    const draws = Array.from({ length: 7 }, () => buckets.draw('a', 6, 0))
    expect(draws.map(({ isAllowed }) => isAllowed)).toEqual([true, true, true, true, true, true, false])
    expect(draws.map(({ remaining }) => remaining)).toEqual([5, 4, 3, 2, 1, 0, 0])
    expect(draws.at(-1)?.waitMs).toBe(10_000)
    expect(buckets.draw('a', 6, 9_999).isAllowed).toBe(false)
    expect(buckets.draw('a', 6, 10_000).isAllowed).toBe(true)
    expect(buckets.draw('a', 6, 10_000).isAllowed).toBe(false)
    expect(buckets.draw('a', 6, 10 * MINUTE_MS).remaining).toBe(5)
  })

  test('are apart by key; a clock set back gives nothing', () => {
    const buckets = createTokenBuckets(10)
    expect(buckets.draw('a', 1, 1_000).isAllowed).toBe(true)
    expect(buckets.draw('b', 1, 1_000).isAllowed).toBe(true)
    expect(buckets.draw('a', 1, 0).isAllowed).toBe(false)
  })

  test('are forgotten beyond the cap, the least used first', () => {
    const buckets = createTokenBuckets(2)
    for (const key of ['a', 'b', 'a', 'c']) buckets.draw(key, 5, 0)
    expect(buckets.draw('a', 5, 0).remaining).toBe(2)
    expect(buckets.draw('b', 5, 0).remaining).toBe(4)
  })
})

test.each([
  ['192.0.2.1', '192.0.2.1'],
  ['::ffff:192.0.2.1', '192.0.2.1'],
  ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2'],
  ['2001:DB8:1:2::6', '2001:db8:1:2'],
  ['2001:db8::1', '2001:db8:0:0'],
  ['2001:0db8:0001::', '2001:db8:1:0'],
  ['::1', '0:0:0:0'],
  ['fe80::1%eth0', 'fe80:0:0:0'],
])('the address %s counts as %s', (address, key) => {
  expect(addressKey(address)).toBe(key)
})

describe('rate limits', () => {
  const send = (relay: TestRelay, token: string, address?: string): Promise<Response> => {
    const headers = { Authorization: `Bearer ${token}`, 'Content-Type': 'application/json' }
    const body = JSON.stringify(batchOf([goodEvent()]))
    const request = new Request('https://usage.example.com/v1/events', { method: 'POST', headers, body })
    return relay.relay.fetch(request, address === undefined ? {} : { address })
  }

  test('of a device: 429 with what it needs to know, before the body is read', async () => {
    const relay = await openRelay({ devicePerMinute: 2 })
    const token = await relay.token()
    const first = await send(relay, token)
    expect(first.headers.get('ratelimit')).toBe('"device";r=1;t=30')
    expect(first.headers.get('ratelimit-policy')).toBe('"device";q=2;w=60')
    await send(relay, token)
    let pulled = 0
    const body = new ReadableStream({ pull: () => void pulled++ }, { highWaterMark: 0 })
    const headers = { Authorization: `Bearer ${token}`, 'Content-Type': 'application/json' }
    const refused = await relay.request('/v1/events', { method: 'POST', headers, body, duplex: 'half' } as RequestInit)
    expect(refused.headers.get('retry-after')).toBe('30')
    expect(refused.headers.get('ratelimit')).toBe('"device";r=0;t=30')
    expect(await readProblem(refused)).toMatchObject({ status: 429, code: 'rate_limited' })
    expect(pulled).toBe(0)
    relay.clock.nowMs += 30_000
    expect((await send(relay, token)).status).toBe(200)
  })

  test('of a token’s own rate', async () => {
    const relay = await openRelay()
    const grant = await relay.grant({ ratePerMinute: 1 })
    const headers = { 'Content-Type': 'application/json' }
    const swap = await relay.request('/v1/token', { method: 'POST', headers, body: JSON.stringify({ grant }) })
    const { token } = (await swap.json()) as { token: string }
    expect((await send(relay, token)).status).toBe(200)
    expect((await send(relay, token)).status).toBe(429)
  })

  test.each([
    ['account', { accountPerMinute: 1 }],
    ['tenant', { tenantPerMinute: 1 }],
  ])('of the %s, over all its devices', async (bucket, limits) => {
    const relay = await openRelay(limits)
    const tokens: string[] = []
    for (const device of ['a', 'b']) {
      const grant = await relay.grant({ device })
      const headers = { 'Content-Type': 'application/json' }
      const swap = await relay.request('/v1/token', { method: 'POST', headers, body: JSON.stringify({ grant }) })
      tokens.push(((await swap.json()) as { token: string }).token)
    }
    expect((await send(relay, tokens[0] as string)).status).toBe(200)
    const refused = await send(relay, tokens[1] as string)
    expect(refused.headers.get('ratelimit-policy')).toBe(`"${bucket}";q=1;w=60`)
    expect(refused.status).toBe(429)
  })

  test('of an address, bad tokens too; other addresses and an unknown one are not touched', async () => {
    const relay = await openRelay({ addressPerMinute: 2 })
    const token = await relay.token()
    expect((await send(relay, 'bad', '192.0.2.1')).status).toBe(401)
    expect((await send(relay, 'bad', '192.0.2.1')).status).toBe(401)
    expect((await send(relay, token, '192.0.2.1')).status).toBe(429)
    expect((await send(relay, token, '192.0.2.2')).status).toBe(200)
    expect((await send(relay, token)).status).toBe(200)
  })

  test('a refusal tells of the limit that refuses, not of the address before it', async () => {
    const relay = await openRelay({ devicePerMinute: 1 })
    const token = await relay.token()
    const address = '192.0.2.1'
    expect((await send(relay, token, address)).headers.get('ratelimit')).toBe('"device";r=0;t=60')
    expect((await send(relay, token, address)).headers.get('ratelimit')).toBe('"device";r=0;t=60')
    expect((await send(relay, 'bad', address)).headers.get('ratelimit')).toBe('"address";r=2997;t=1')
  })

  test('the address is the connection’s, or what trusted proxies saw', async () => {
    for (const [trustedProxies, header, isOther] of [
      [0, '198.51.100.7', false],
      [1, '198.51.100.7', true],
      [1, '203.0.113.1, 198.51.100.7', true],
      [2, '203.0.113.1, 198.51.100.7', true],
    ] as const) {
      const relay = await openTestRelay({ listen: { port: 0, trustedProxies }, limits: { addressPerMinute: 1 } })
      open.push(relay)
      const { url } = await relay.relay.start()
      const call = (headers: Record<string, string>) => fetch(`${url}/v1/events`, { method: 'POST', headers })
      expect((await call({ 'X-Forwarded-For': '192.0.2.99, 192.0.2.99' })).status).toBe(415)
      expect((await call({ 'X-Forwarded-For': header })).status, `${trustedProxies} ${header}`).toBe(
        isOther ? 415 : 429,
      )
    }
  })
})

test('one device may not have more than its places', async () => {
  const relay = await openRelay({ maxOpenPerDevice: 1 })
  const token = await relay.token()
  const rest = Promise.withResolvers<void>()
  const body = new ReadableStream({
    async start(controller) {
      await rest.promise
      controller.enqueue(new TextEncoder().encode(JSON.stringify(batchOf([goodEvent()]))))
      controller.close()
    },
  })
  const headers = { Authorization: `Bearer ${token}`, 'Content-Type': 'application/json' }
  const slow = relay.request('/v1/events', { method: 'POST', headers, body, duplex: 'half' } as RequestInit)
  await new Promise((resolve) => setTimeout(resolve, 50))
  expect(await readProblem(await relay.send(batchOf([goodEvent()]), token))).toMatchObject({ code: 'rate_limited' })
  rest.resolve()
  expect((await slow).status).toBe(200)
  expect((await relay.send(batchOf([goodEvent()]), token)).status).toBe(200)
})

describe('memory for bodies', () => {
  test('nobody takes more than a share, all together no more than there is', () => {
    const shares = createShares(10, 6)
    const [a, b] = [shares.of('a'), shares.of('b')]
    expect([a.take(6), a.take(1), b.take(4), b.take(1)]).toEqual(['taken', 'own', 'taken', 'all'])
    a.give(6)
    expect([shares.used(), b.take(2), a.take(4), a.take(1)]).toEqual([4, 'taken', 'taken', 'all'])
    a.give(4)
    b.give(6)
    expect(shares.used()).toBe(0)
  })

  test('is given back after every answer', async () => {
    const relay = await openRelay()
    const token = await relay.token()
    for (const body of [batchOf([goodEvent()]), { v: 2 }, 'x'.repeat(100_000)]) await relay.send(body, token)
    const metrics = await relay.adminRequest('/metrics', { headers: { Authorization: `Bearer ${ADMIN_KEY}` } })
    expect(await metrics.text()).toMatch(/^metertap_open_body_bytes 0$/m)
  })
})

describe('back-pressure', () => {
  const limits = { minFreeDiskBytes: 100, maxCommitMs: 1_000, maxBacklogEvents: 10 }
  const settle = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 5))

  function createRig() {
    const state = { nowMs: 0, free: 1_000, backlog: 0, fails: false, log: [] as string[] }
    const pressure = createPressure({
      limits,
      clock: () => state.nowMs,
      log: (_level, event, fields) => state.log.push(`${event} ${fields?.reason ?? ''}`),
      freeDiskBytes: async () => {
        if (state.fails) throw new Error('no such disk')
        return state.free
      },
      backlogEvents: async () => state.backlog,
    })
    const isRefusing = async (): Promise<string | undefined> => {
      state.nowMs += 1_000
      try {
        pressure.check()
      } catch {
        // The sample that was just begun counts.
      }
      await settle()
      return pressure.reason()
    }
    return { state, pressure, isRefusing }
  }

  test('a disk that is nearly full, and one that has room again', async () => {
    const { state, pressure, isRefusing } = createRig()
    expect(await isRefusing()).toBeUndefined()
    state.free = 99
    expect(await isRefusing()).toBe('disk')
    expect(() => pressure.check()).toThrow(
      expect.objectContaining({ code: 'overloaded', headers: { 'Retry-After': '60' } }),
    )
    state.free = 100
    expect(await isRefusing()).toBeUndefined()
    pressure.check()
    expect(state.log).toEqual(['pressure disk', 'pressure none'])
  })

  test('a backlog that is too long', async () => {
    const { state, isRefusing } = createRig()
    state.backlog = 11
    expect(await isRefusing()).toBe('backlog')
    state.backlog = 10
    expect(await isRefusing()).toBeUndefined()
  })

  test('commits that are slow: one is let through after a while', async () => {
    const { state, pressure, isRefusing } = createRig()
    for (let commit = 0; commit < 20; commit++) pressure.noteCommit(3_000)
    expect(await isRefusing()).toBe('commit')
    state.nowMs += 5_000
    expect(await isRefusing()).toBeUndefined()
    for (let commit = 0; commit < 20; commit++) pressure.noteCommit(3)
    expect(await isRefusing()).toBeUndefined()
  })

  test('one slow commit is no reason', async () => {
    const { pressure, isRefusing } = createRig()
    pressure.noteCommit(4_000)
    expect(await isRefusing()).toBeUndefined()
  })

  test('a sample that fails changes nothing', async () => {
    const { state, isRefusing } = createRig()
    state.fails = true
    expect(await isRefusing()).toBeUndefined()
    expect(state.log).toEqual(['pressure_unknown '])
  })

  test('through the door: 503 with Retry-After, nothing taken; readyz says it too', async () => {
    const disk = { free: 0 }
    const relay = await openRelay({}, { freeDiskBytes: async () => disk.free })
    const token = await relay.token()
    await relay.send(batchOf([]), token)
    const refused = await relay.send(batchOf([goodEvent()]), token)
    expect(refused.headers.get('retry-after')).toBe('60')
    expect(await readProblem(refused)).toMatchObject({ status: 503, code: 'overloaded' })
    expect(await readProblem(await relay.request('/readyz'))).toMatchObject({ code: 'overloaded' })
    expect(await relay.relay.store.totals()).toMatchObject({ received: 0 })
    disk.free = 2 ** 40
    relay.clock.nowMs += 1_000
    await relay.send(batchOf([]), token)
    expect((await relay.send(batchOf([goodEvent()]), token)).status).toBe(200)
  })
})

describe('an account’s day', () => {
  test('what is beyond is taken, acknowledged and held; the next day goes on', async () => {
    const relay = await openRelay({ maxEventsPerAccountPerDay: 3 })
    const send = async (first: number, count: number) => {
      const events = Array.from({ length: count }, () => ['calls', relay.clock.nowMs, { quantity: 1 }])
      const streams = [{ id: STREAM, recorded: 20, dropped: {} }]
      return await readAnswer(await relay.send(batchOf([], { streams, segments: [{ stream: STREAM, first, events }] })))
    }
    await send(0, 2)
    await send(2, 2)
    expect(relay.woken).toEqual(['calls', 'calls'])
    expect((await send(4, 2)).received, 'held is received').toEqual({ [STREAM]: [[0, 5]] })
    expect(relay.woken, 'nothing to forward').toEqual(['calls', 'calls'])
    expect(await relay.relay.store.heldEvents()).toMatchObject([{ account: 'acme', meter: 'calls', events: 2 }])
    expect(await relay.relay.store.backlog()).toMatchObject([{ lane: 'calls', waiting: 4 }])
    expect((await send(4, 2)).received, 'sent again is held once').toEqual({ [STREAM]: [[0, 5]] })
    relay.clock.nowMs += 86_400_000
    await send(6, 1)
    expect(await relay.relay.store.backlog()).toMatchObject([{ lane: 'calls', waiting: 5 }])
    const headers = { Authorization: `Bearer ${ADMIN_KEY}`, 'Content-Type': 'application/json' }
    const released = await relay.adminRequest('/v1/held/release', {
      ...{ method: 'POST', headers, body: JSON.stringify({ account: 'acme' }) },
    })
    expect(await released.json()).toEqual({ released: 2 })
    expect(await relay.relay.store.backlog()).toMatchObject([{ lane: 'calls', waiting: 7 }])
    expect(relay.woken.at(-1)).toBe('*')
  })

  test('is counted over restarts and other processes', async () => {
    const relay = await openRelay({ maxEventsPerAccountPerDay: 1 })
    await relay.send(batchOf([goodEvent()]))
    const again = await openTestRelay({
      ...{ store: { sqlite: `${relay.folder}/relay.db` }, limits: { maxEventsPerAccountPerDay: 1 } },
    })
    open.push(again)
    await readAnswer(await again.send(batchOf([goodEvent(), goodEvent()]), await relay.token()))
    expect(await again.relay.store.heldEvents()).toMatchObject([{ events: 1 }])
  })
})
