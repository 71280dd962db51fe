import 'fake-indexeddb/auto'
import { describe, expect, test } from 'vitest'
import { openIdbOutbox } from '../../src/outbox/idb/open.ts'
import { calls, sharedOutbox, streamOf, type World, world } from '../support/agent-world.ts'
import { deferred, settle } from '../support/fake-clock.ts'

const DAY_MS = 86_400_000
const HOUR_MS = 3_600_000

const homes = {
  memory: async () => sharedOutbox(),
  IndexedDB: async (w: World) =>
    sharedOutbox(await openIdbOutbox({ indexedDB: new IDBFactory(), random: () => 'device-1', clock: w.clock.now })),
}

/** A JWT that ends lifeMs from now by the relay's clock, which is never set. */
function issuer(w: World, lifeMs: number) {
  const seen = { issued: 0 }
  const encode = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')
  const base = w.clock.now() - w.clock.monotonic()
  const relayNow = () => base + w.clock.monotonic()
  const token = () => `${encode({})}.${encode({ exp: (relayNow() + lifeMs) / 1_000, n: seen.issued++ })}.sig`
  w.relay.accepts = (given) => {
    const { exp } = JSON.parse(Buffer.from(given.split('.')[1] ?? '', 'base64url').toString()) as { exp: number }
    return exp * 1_000 > relayNow()
  }
  return { token, seen }
}

describe.each(Object.entries(homes))('a wall clock set back by a day, with an outbox in %s', (_, home) => {
  test('a lease ends', async () => {
    const w = world()
    const outbox = await home(w)
    const a = await w.open({}, { outbox, locks: false })
    w.relay.faults.push(() => new Promise<void>(() => {}))
    a.agent.record(calls, { n: 1 })
    void a.agent.flush()
    await settle()
    a.crash()
    w.clock.step(-DAY_MS)
    const b = await w.open({}, { outbox, locks: false })
    await b.agent.flush()
    expect(w.relay.events.size).toBe(1)
  })

  test('a deferral ends', async () => {
    const w = world()
    const { agent } = await w.open({}, { outbox: await home(w) })
    w.relay.answer = (answer) => ({
      ...answer,
      received: {},
      retry: [{ stream: streamOf(0), from: 0, to: 0, delayMs: 20 * HOUR_MS }],
    })
    agent.record(calls, { n: 1 })
    await agent.flush()
    w.relay.answer = (answer) => answer
    w.clock.step(-DAY_MS)
    await w.clock.advance(60_000)
    expect(agent.stats()).toMatchObject({ accepted: 1, waiting: 0 })
  })

  test('small corrections end neither', async () => {
    const w = world()
    const { agent } = await w.open({}, { outbox: await home(w) })
    const retry = [{ stream: streamOf(0), from: 0, to: 0, delayMs: HOUR_MS }]
    w.relay.answer = (answer) => ({ ...answer, received: {}, retry })
    agent.record(calls, { n: 1 })
    await agent.flush()
    w.clock.step(-5_000)
    await agent.flush()
    expect(w.relay.requests).toHaveLength(1)
  })
})

describe('a wall clock that is set', () => {
  test.each([-DAY_MS, DAY_MS])('by %i ms: retries go on as planned', async (stepMs) => {
    const w = world()
    const { agent } = await w.open()
    w.relay.faults.push(new Response('', { status: 503, headers: { 'retry-after': '30' } }))
    agent.record(calls, { n: 1 })
    await agent.flush()
    w.clock.step(stepMs)
    await w.clock.advance(31_000)
    expect(agent.stats()).toMatchObject({ accepted: 1, nextTryAtMs: undefined })
  })

  test.each([-DAY_MS, DAY_MS])(
    'by %i ms: tokens are renewed once they end, and not with each request',
    async (stepMs) => {
      const w = world()
      const { token, seen } = issuer(w, 600_000)
      const { agent } = await w.open({ token })
      agent.record(calls, { n: 0 })
      await agent.flush()
      w.clock.step(stepMs)
      for (let n = 1; n < 40; n++) {
        agent.record(calls, { n })
        await agent.flush()
        await w.clock.advance(10_000)
      }
      expect([w.relay.events.size, agent.stats().pausedBy]).toEqual([40, []])
      // 400 s of tokens that live 600: one, and by a clock that cannot tell, one for each 30 s.
      expect(seen.issued).toBeLessThanOrEqual(stepMs > 0 ? 15 : 1)
      await w.clock.advance(600_000)
      agent.record(calls, { n: 40 })
      await agent.flush()
      expect(w.relay.events.size, 'a token that ended is renewed at the 401').toBe(41)
    },
  )

  test('by a day ahead: last words still have a token', async () => {
    const w = world()
    const { token } = issuer(w, 600_000)
    w.clock.step(DAY_MS)
    const { agent, runtime } = await w.open({ token })
    agent.record(calls, { n: 0 })
    await agent.flush()
    agent.record(calls, { n: 1 })
    await settle()
    runtime.tell('pagehide')
    await settle()
    expect([w.relay.requests.at(-1)?.path, w.relay.events.size]).toEqual(['/v1/exit', 2])
  })

  test('changes no event’s time, and is told as evidence', async () => {
    const w = world()
    w.relay.answer = (answer) => ({ ...answer, serverTime: 1_700_000_500_000 })
    const { agent } = await w.open()
    const before = w.clock.now()
    agent.record(calls, { n: 1 })
    await agent.flush()
    w.clock.step(-DAY_MS)
    agent.record(calls, { n: 2 })
    await agent.flush()
    agent.record(calls, { n: 3 })
    await agent.flush()
    expect([...w.relay.events.values()].map((event) => (event as unknown[])[1])).toEqual([
      before,
      before - DAY_MS,
      before - DAY_MS,
    ])
    const offsets = w.relay.requests.map(({ batch }) => batch.clock?.offsetMs)
    expect(offsets).toEqual([undefined, 500_000, 500_000 + DAY_MS])
  })
})

describe('a machine that sleeps for eight hours', () => {
  test('sends when it wakes: what waited for an interval, a retry, a deferral', async () => {
    const w = world()
    const { token } = issuer(w, 600_000)
    const { agent, runtime } = await w.open({ token })
    w.relay.answer = (answer) => ({
      ...answer,
      received: {},
      retry: [{ stream: streamOf(0), from: 0, to: 0, delayMs: 60_000 }],
    })
    agent.record(calls, { n: 0 })
    await agent.flush()
    w.relay.answer = (answer) => answer
    w.relay.faults.push(503)
    agent.record(calls, { n: 1 })
    await agent.flush()
    agent.record(calls, { n: 2 })
    await settle()
    w.clock.step(8 * HOUR_MS)
    runtime.tell('resume')
    await w.clock.advance(1_000)
    expect([w.relay.events.size, agent.stats().waiting]).toEqual([3, 0])
    await w.clock.advance(120_000)
    expect([w.relay.events.size, w.clock.pendingMs]).toEqual([3, []])
  })

  test('in the middle of a request: it is given up, and sent again', async () => {
    const w = world()
    const { agent } = await w.open()
    w.relay.faults.push(() => new Promise<void>(() => {}))
    agent.record(calls, { n: 1 })
    void agent.flush()
    await settle()
    w.clock.step(8 * HOUR_MS)
    await w.clock.advance(31_000)
    expect(agent.stats()).toMatchObject({ accepted: 1, inFlight: 0 })
  })
})

describe('Retry-After', () => {
  test.each([
    ['seconds', () => '90'],
    ['a date', (w: World) => new Date(w.clock.now() + 90_000).toUTCString()],
  ])('as %s is waited for, whoever wants to flush', async (_, header) => {
    const w = world()
    const { agent, runtime } = await w.open()
    w.relay.faults.push(new Response('', { status: 429, headers: { 'retry-after': header(w) } }))
    agent.record(calls, { n: 1 })
    await agent.flush()
    runtime.tell('online')
    await agent.flush()
    await w.clock.advance(88_000)
    expect(w.relay.requests).toHaveLength(1)
    await w.clock.advance(4_000)
    expect(w.relay.events.size).toBe(1)
  })
})

describe('deferrals of one answer', () => {
  test('are looked at each in its time', async () => {
    const w = world()
    const { agent } = await w.open()
    const retry = [
      { stream: streamOf(0), from: 0, to: 0, delayMs: 50_000 },
      { stream: streamOf(0), from: 1, to: 1, delayMs: 5_000 },
    ]
    w.relay.answer = (answer) => ({ ...answer, received: {}, retry })
    agent.record(calls, { n: 0 })
    agent.record(calls, { n: 1 })
    await agent.flush()
    w.relay.answer = (answer) => answer
    await w.clock.advance(5_200)
    expect(agent.stats()).toMatchObject({ accepted: 1, waiting: 1 })
    await w.clock.advance(120_000)
    expect(agent.stats()).toMatchObject({ accepted: 2, waiting: 0 })
  })
})

describe('an answer that comes late', () => {
  test('after close(): nothing breaks, and the next start sends what it did not hear of', async () => {
    const unhandled: unknown[] = []
    const note = (error: unknown) => unhandled.push(error)
    process.on('unhandledRejection', note)
    const w = world()
    const outbox = await homes.IndexedDB(w)
    const a = await w.open({}, { outbox })
    const hang = deferred()
    w.relay.faults.push(() => hang.promise)
    a.agent.record(calls, { n: 1 })
    void a.agent.flush()
    await settle()
    const closing = a.agent.close()
    await w.clock.advance(5_000)
    await closing
    hang.resolve()
    await settle()
    expect([w.clock.pendingMs, a.heard.filter(({ event }) => event === 'trouble')]).toEqual([[], []])
    const b = await w.open({}, { outbox })
    await b.agent.flush()
    expect([w.relay.events.size, b.agent.stats().accepted]).toEqual([1, 1])
    process.off('unhandledRejection', note)
    expect(unhandled).toEqual([])
  })

  test('a sender that closes while a follower waits breaks nothing', async () => {
    const unhandled: unknown[] = []
    const note = (error: unknown) => unhandled.push(error)
    process.on('unhandledRejection', note)
    const w = world()
    const outbox = sharedOutbox()
    const [a, b] = [await w.open({}, { outbox }), await w.open({}, { outbox })]
    const hang = deferred()
    w.relay.faults.push(() => hang.promise)
    b.agent.record(calls, { n: 1 })
    const flushed = b.agent.flush()
    await settle()
    const closing = a.agent.close()
    await w.clock.advance(5_000)
    await closing
    hang.resolve()
    await flushed
    await settle()
    process.off('unhandledRejection', note)
    expect([unhandled, w.relay.events.size]).toEqual([[], 1])
  })

  test('after purge(): no false alarm', async () => {
    const w = world()
    const { agent, heard } = await w.open()
    const hang = deferred()
    w.relay.faults.push(() => hang.promise)
    agent.record(calls, { n: 1 })
    void agent.flush()
    await settle()
    expect(await agent.purge()).toMatchObject({ events: 1 })
    hang.resolve()
    await settle()
    expect(heard.filter(({ event }) => event === 'trouble')).toEqual([])
    expect(agent.stats()).toMatchObject({ waiting: 0, accepted: 0, nextTryAtMs: undefined })
  })
})
