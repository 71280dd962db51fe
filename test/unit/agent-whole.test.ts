import 'fake-indexeddb/auto'
import { describe, expect, test } from 'vitest'
import * as z from 'zod'
import type { PurgeReceipt } from '../../src/agent/agent.ts'
import { startAgent } from '../../src/agent/create-agent.ts'
import { defineMeter } from '../../src/meter/define-meter.ts'
import type { Outbox, PurgeOptions } from '../../src/outbox/contract.ts'
import { openIdbOutbox } from '../../src/outbox/idb/open.ts'
import { createMemoryOutbox } from '../../src/outbox/memory/open.ts'
import { MetertapError } from '../../src/wire/errors.ts'
import { bills, calls, sharedOutbox, streamOf, world } from '../support/agent-world.ts'
import { deferred, failure, settle } from '../support/fake-clock.ts'
import { fakeRuntime } from '../support/fake-runtime.ts'
import { outboxDouble } from '../support/outbox-double.ts'

const idb = (w: ReturnType<typeof world>): Promise<Outbox> =>
  openIdbOutbox({ indexedDB: new IDBFactory(), random: () => 'device-1', clock: w.clock.now })

describe('an agent records', () => {
  test.each([
    ['memory', 'memory', 'memory', async () => createMemoryOutbox({ random: () => 'device-1' })],
    ['IndexedDB', 'process', 'power', idb],
  ])('and delivers, with an outbox in %s', async (_, plain, strict, home) => {
    const w = world()
    const { agent, heard } = await w.open({}, { outbox: await home(w) })
    const receipt = agent.record(calls, { n: 1 })
    const billed = agent.record(bills, { n: 2 }, { at: new Date(5_000) })
    expect([receipt.id, billed.id]).toEqual([`${streamOf(0)}-0`, `${streamOf(0)}-1`])
    expect(await receipt.durable).toBe(strict)
    expect(agent.record(calls, { n: 3 }).error).toBeUndefined()
    expect(await agent.record(calls, { n: 4 }).durable).toBe(plain)
    await agent.flush()
    expect([...w.relay.events]).toEqual([
      [`${streamOf(0)}-0`, ['calls', w.clock.now(), { n: 1 }]],
      [`${streamOf(0)}-1`, ['bills', 5_000, { n: 2 }]],
      [`${streamOf(0)}-2`, ['calls', w.clock.now(), { n: 3 }]],
      [`${streamOf(0)}-3`, ['calls', w.clock.now(), { n: 4 }]],
    ])
    expect(w.relay.requests[0]).toMatchObject({ path: '/v1/events', token: 'token-1', batch: { device: 'device-1' } })
    expect(heard.filter(({ event }) => event === 'settled')).toEqual([{ event: 'settled', detail: { received: 4 } }])
    await settle()
    expect(agent.stats()).toMatchObject({
      recorded: 4,
      accepted: 4,
      waiting: 0,
      waitingBytes: 0,
      storing: 0,
      sender: true,
    })
    expect(await agent.streams()).toMatchObject([
      { stream: streamOf(0), recorded: 4, settled: 4, dead: 0, dropped: {} },
    ])
    await agent.close()
  })

  test('leaves the schema to the relay where it is told to, but for sums', async () => {
    const sums = defineMeter('sums', z.object({ n: z.number() }), { aggregate: { windowMs: 60_000, sum: ['n'] } })
    const odd = { n: 'not a number' } as never
    const strict = await world().open({ meters: [calls, sums] })
    expect(strict.agent.record(calls, odd).error?.code).toBe('invalid_data')
    const w = world()
    const { agent } = await w.open({ meters: [calls, sums], validate: 'relay' })
    expect(agent.record(sums, odd).error?.code).toBe('invalid_data')
    expect(agent.record(calls, odd).error).toBeUndefined()
    await agent.flush()
    expect([...w.relay.events.values()]).toEqual([['calls', w.clock.now(), odd]])
  })

  test('sends by itself within the interval, and no timer runs when all is sent', async () => {
    const w = world()
    const { agent } = await w.open()
    agent.record(calls, { n: 1 })
    await w.clock.advance(4_999)
    expect(w.relay.requests).toHaveLength(0)
    await w.clock.advance(1)
    expect(w.relay.ids).toEqual([`${streamOf(0)}-0`])
    expect(w.clock.pendingMs).toEqual([])
    expect(agent.stats().flushes).toMatchObject({ interval: 1 })
  })

  test('sends at once when enough waits', async () => {
    const w = world()
    const { agent } = await w.open({ flushEvents: 3 })
    for (let n = 0; n < 3; n++) agent.record(calls, { n })
    await settle()
    expect(w.relay.events.size).toBe(3)
  })

  test('sends what an earlier page left behind', async () => {
    const w = world()
    const outbox = await idb(w)
    const shared = { ...outbox, close: async () => {} }
    const first = await w.open({}, { outbox: shared })
    first.agent.pause('consent')
    first.agent.record(calls, { n: 1 })
    await first.agent.close()
    expect(w.relay.requests).toHaveLength(0)
    await w.open({}, { outbox: shared })
    expect(w.relay.ids).toEqual([`${streamOf(0)}-0`])
  })

  test('never throws for what is recorded: the receipt has the reason, the ledger the count', async () => {
    const w = world()
    const { agent, heard, runtime } = await w.open()
    const strange = defineMeter('calls', z.any())
    const wild = {
      get n() {
        throw new RangeError('own')
      },
    }
    const codes = [
      agent.record(calls, { n: 'x' } as never),
      agent.record(calls, { n: 1 }, { at: new Date(Number.NaN) }),
      agent.record(calls, { n: 1 }, { at: '2026-01-01' as never }),
      agent.record(strange, {}),
      agent.record(undefined as never, {} as never),
      agent.record(null as never, {} as never, null as never),
      agent.record(calls, wild as never),
    ].map(({ error, id }) => [error?.code, id])
    const expected = ['invalid_data', 'bad_time', 'bad_time', 'unknown_meter', 'unknown_meter', 'unknown_meter']
    expect(codes.slice(0, 6)).toEqual(expected.map((code) => [code, undefined]))
    expect(['invalid_data', 'async_schema']).toContain(codes[6]?.[0])
    expect(heard.filter(({ event }) => event === 'refused')).toHaveLength(7)
    expect(agent.stats()).toMatchObject({ recorded: 0, stream: undefined })
    await agent.flush()
    expect(w.relay.requests[0]?.batch).toMatchObject({
      segments: [],
      streams: [{ id: streamOf(0), recorded: 0, refused: { bad_time: 2, unknown_meter: 3 } }],
    })
    expect(runtime.reported).toEqual([])
  })

  test('a listener that throws disturbs nobody', async () => {
    const w = world()
    const { agent, heard, runtime } = await w.open()
    const boom = new Error('boom')
    const stop = agent.on('stored', () => {
      throw boom
    })
    agent.on('stored', () => heard.push({ event: 'later listener', detail: {} }))
    await agent.record(calls, { n: 1 }).durable
    await settle()
    expect(runtime.reported).toEqual([boom])
    expect(heard.map(({ event }) => event)).toContain('later listener')
    stop()
    await agent.record(calls, { n: 1 }).durable
    await settle()
    expect(runtime.reported).toHaveLength(1)
  })

  test('an event that cannot be stored is declared, and the rest delivered', async () => {
    const w = world()
    const outbox = outboxDouble('process')
    const { agent, heard } = await w.open({}, { outbox })
    outbox.before = ({ segments }) => {
      if (segments.length > 0) throw new MetertapError('outbox_full', 'No room.')
    }
    const lost = agent.record(calls, { n: 1 })
    expect((await failure(() => lost.durable)).code).toBe('outbox_full')
    outbox.before = () => {}
    agent.record(calls, { n: 2 })
    await agent.flush()
    expect(w.relay.ids).toEqual([`${streamOf(0)}-1`])
    expect(w.relay.recorded.get(streamOf(0))).toBe(2)
    expect(w.relay.dropped.get(streamOf(0))).toEqual({ outbox_full: 1 })
    expect(heard).toContainEqual({ event: 'trouble', detail: { code: 'outbox_full', detail: 'No room.' } })
  })
})

describe('an agent sends again', () => {
  test('after 500s, with growing waits, the same event text', async () => {
    const w = world()
    const { agent, heard } = await w.open()
    w.relay.faults.push(500, 503, 502)
    agent.record(calls, { n: 1.5 })
    await agent.flush()
    expect(agent.stats()).toMatchObject({ waiting: 1, accepted: 0, nextTryAtMs: w.clock.now() + 500 })
    expect(agent.stats().lastTrouble).toMatchObject({ code: 'http_500' })
    await w.clock.advance(500 + 1_000)
    expect(w.relay.requests).toHaveLength(3)
    await w.clock.advance(2_000)
    expect(w.relay.ids).toEqual([`${streamOf(0)}-0`])
    expect(new Set(w.relay.requests.map(({ segmentText }) => segmentText)).size).toBe(1)
    expect(heard.filter(({ event }) => event === 'trouble')).toHaveLength(3)
    expect(w.clock.pendingMs).toEqual([])
  })

  test('after a lost answer; the relay knows the numbers', async () => {
    const w = world()
    const { agent } = await w.open()
    w.relay.faults.push('lost')
    agent.record(calls, { n: 1 })
    await agent.flush()
    expect(w.relay.events.size).toBe(1)
    agent.record(calls, { n: 2 })
    await agent.flush()
    await settle()
    expect(w.relay.ids).toEqual([`${streamOf(0)}-0`, `${streamOf(0)}-1`])
    expect(agent.stats()).toMatchObject({ accepted: 2, waiting: 0 })
    const [first, second] = w.relay.requests
    expect(second?.segmentText).toContain(first?.segmentText.match(/\["calls".*?\}\]/)?.[0])
  })

  test('flush() cuts short a wait of its own, not the relay’s', async () => {
    const w = world()
    const { agent } = await w.open()
    const retryAfter = new Response('', { status: 503, headers: { 'retry-after': '60' } })
    w.relay.faults.push(500, retryAfter)
    agent.record(calls, { n: 1 })
    await agent.flush()
    await agent.flush()
    await agent.flush()
    expect(w.relay.requests).toHaveLength(2)
    await w.clock.advance(60_000)
    expect(w.relay.requests).toHaveLength(2)
    await w.clock.advance(1_000)
    expect(w.relay.events.size).toBe(1)
  })

  test('when a refusal is mended: parked, but tried again by itself', async () => {
    const w = world()
    const { agent } = await w.open()
    w.relay.faults.push(403)
    agent.record(calls, { n: 1 })
    await agent.flush()
    expect(agent.stats()).toMatchObject({ pausedBy: ['refused'], lastTrouble: { code: 'http_403' } })
    await w.clock.advance(300_500)
    await settle()
    expect(agent.stats()).toMatchObject({ pausedBy: [], accepted: 1 })
  })

  test('what the relay deferred, at its time, without another event', async () => {
    const w = world()
    const { agent } = await w.open()
    const retry = [{ stream: streamOf(0), from: 0, to: 0, delayMs: 30_000 }]
    w.relay.answer = (answer) => ({ ...answer, received: {}, retry })
    agent.record(calls, { n: 1 })
    await agent.flush()
    w.relay.answer = (answer) => answer
    await agent.flush()
    expect(w.relay.requests).toHaveLength(1)
    expect(agent.stats()).toMatchObject({ accepted: 0, waiting: 1 })
    await w.clock.advance(31_000)
    expect(agent.stats()).toMatchObject({ accepted: 1, waiting: 0 })
    expect(w.clock.pendingMs).toEqual([])
  })

  test('a request without an answer is given up after requestTimeoutMs', async () => {
    const w = world()
    const { agent } = await w.open({ requestTimeoutMs: 7_000 })
    const hang = deferred()
    w.relay.faults.push(() => hang.promise)
    agent.record(calls, { n: 1 })
    void agent.flush()
    await settle()
    expect(agent.stats().inFlight).toBe(1)
    expect(w.clock.pendingMs).toEqual([7_000])
    await w.clock.advance(7_500)
    hang.resolve()
    await settle()
    expect(agent.stats()).toMatchObject({ inFlight: 0, accepted: 1, lastTrouble: { code: 'relay_unreachable' } })
    expect(agent.stats().lastTrouble?.detail).toContain('TimeoutError')
  })
})

describe('an agent and its token', () => {
  test('is not asked for one before there is something to send', async () => {
    const w = world()
    let asked = 0
    const { agent } = await w.open({ token: () => `token-${++asked}` })
    await w.clock.advance(60_000)
    expect(asked).toBe(0)
    agent.record(calls, { n: 1 })
    await agent.flush()
    expect(asked).toBe(1)
  })

  test('a refused token is renewed at once', async () => {
    const w = world()
    let asked = 0
    w.relay.accepts = (token) => token !== 'token-1'
    const { agent } = await w.open({ token: () => `token-${++asked}` })
    agent.record(calls, { n: 1 })
    await agent.flush()
    expect(w.relay.requests.map(({ token }) => token)).toEqual(['token-1', 'token-2'])
    expect(agent.stats()).toMatchObject({ accepted: 1, pausedBy: [] })
  })

  test('a failing token option pauses by "auth", tells no secret, and recovers', async () => {
    const w = world()
    let signedIn = false
    const token = () => {
      if (!signedIn) throw new Error('secret-token')
      return 'token-1'
    }
    const { agent, heard } = await w.open({ token })
    agent.record(calls, { n: 1 })
    await agent.flush()
    expect(agent.stats()).toMatchObject({ pausedBy: ['auth'], waiting: 1, lastTrouble: { code: 'unauthorized' } })
    expect(JSON.stringify([heard, agent.stats()])).not.toContain('secret')
    await w.clock.advance(10_000)
    expect(agent.stats().pausedBy).toEqual(['auth'])
    signedIn = true
    await w.clock.advance(60_000)
    expect(agent.stats()).toMatchObject({ pausedBy: [], accepted: 1 })
    const pauses = heard.filter(({ event }) => event === 'paused').map(({ detail }) => detail.reasons)
    expect(pauses).toEqual([['auth'], []])
  })
})

describe('an agent pauses', () => {
  test('by every reason, recording all the while', async () => {
    const w = world()
    const { agent } = await w.open()
    agent.pause('consent')
    agent.pause('tariff')
    agent.record(calls, { n: 1 })
    await agent.flush()
    await w.clock.advance(600_000)
    expect([w.relay.requests.length, agent.stats().pausedBy, agent.stats().waiting]).toEqual([
      0,
      ['consent', 'tariff'],
      1,
    ])
    agent.resume('consent')
    await settle()
    expect(w.relay.requests).toHaveLength(0)
    agent.resume('tariff')
    await settle()
    expect(w.relay.events.size).toBe(1)
  })

  test('while offline, looks for itself now and then, and an answer ends it', async () => {
    const w = world()
    const { agent } = await w.open({}, { online: false })
    agent.record(calls, { n: 1 })
    await w.clock.advance(59_000)
    expect([agent.stats().pausedBy, w.relay.requests.length]).toEqual([['offline'], 0])
    await w.clock.advance(1_000)
    expect(agent.stats()).toMatchObject({ accepted: 1, pausedBy: [] })
    agent.record(calls, { n: 2 })
    await w.clock.advance(5_000)
    expect(agent.stats().accepted).toBe(2)
  })

  test('stays offline while the probe fails, and goes on at the event', async () => {
    const w = world()
    const { agent, runtime } = await w.open()
    runtime.tell('offline')
    w.relay.faults.push('offline')
    agent.record(calls, { n: 1 })
    await w.clock.advance(70_000)
    expect([agent.stats().pausedBy, w.relay.requests.length]).toEqual([['offline'], 1])
    runtime.tell('online')
    await settle()
    expect(agent.stats()).toMatchObject({ accepted: 1, pausedBy: [] })
    expect(w.clock.pendingMs).toEqual([])
  })

  test('when the relay asks it to hold, for a day at most', async () => {
    const w = world()
    const { agent } = await w.open()
    w.relay.answer = (answer) => ({ ...answer, policy: { holdMs: 10 ** 13, flushIntervalMs: 1 } })
    agent.record(calls, { n: 1 })
    await agent.flush()
    expect(agent.stats().pausedBy).toEqual(['hold'])
    expect(w.clock.pendingMs).toEqual([86_400_000])
    agent.record(calls, { n: 2 })
    await settle()
    expect(w.clock.pendingMs).toEqual([1_000, 86_400_000])
    w.relay.answer = (answer) => answer
    await w.clock.advance(86_400_000)
    expect(agent.stats()).toMatchObject({ pausedBy: [], accepted: 2 })
  })
})

describe('an agent leaves', () => {
  test('last words on pagehide: what is unsent, token inside; its answer counts if the page lives', async () => {
    const w = world()
    const { agent, runtime } = await w.open()
    agent.record(calls, { n: 1 })
    await agent.flush()
    agent.record(calls, { n: 2 })
    await settle()
    runtime.tell('hidden')
    runtime.tell('pagehide')
    await settle()
    const exits = w.relay.requests.filter(({ path }) => path === '/v1/exit')
    expect(exits).toHaveLength(1)
    expect(exits[0]).toMatchObject({
      token: 'token-1',
      batch: { streams: [{ id: streamOf(0), recorded: 2 }], segments: [{ first: 1 }] },
    })
    expect(agent.stats()).toMatchObject({ accepted: 2, waiting: 0 })
  })

  test('has none without a token, while paused, or after a purge', async () => {
    const w = world()
    const { agent, runtime } = await w.open()
    agent.record(calls, { n: 1 })
    await settle()
    runtime.tell('pagehide')
    runtime.tell('pageshow')
    await settle()
    await agent.flush()
    agent.pause('consent')
    agent.record(calls, { n: 2 })
    await settle()
    runtime.tell('pagehide')
    runtime.tell('pageshow')
    await agent.purge()
    agent.resume('consent')
    await settle()
    runtime.tell('pagehide')
    await settle()
    expect(w.relay.requests.filter(({ path }) => path === '/v1/exit')).toEqual([])
  })

  test('a request under way is not sent twice by a page that only hides, but by one that goes', async () => {
    const w = world()
    const { agent, runtime } = await w.open()
    agent.record(calls, { n: 0 })
    await agent.flush()
    const hang = deferred()
    w.relay.faults.push(() => hang.promise)
    agent.record(calls, { n: 1 })
    void agent.flush()
    await settle()
    const exits = () => w.relay.requests.filter(({ path }) => path === '/v1/exit').length
    runtime.tell('hidden')
    await settle()
    expect(exits()).toBe(0)
    runtime.tell('pagehide')
    await settle()
    expect(exits()).toBe(1)
    hang.resolve()
    await settle()
    expect(w.relay.events.size).toBe(2)
    expect(agent.stats()).toMatchObject({ accepted: 2, waiting: 0 })
  })
})

describe('an agent purges', () => {
  test('what waits, declared to the relay', async () => {
    const w = world()
    const { agent } = await w.open()
    agent.pause('consent')
    for (let n = 0; n < 3; n++) agent.record(calls, { n })
    expect(await agent.purge()).toMatchObject({ events: 3, deadLetters: 0 })
    agent.record(calls, { n: 3 })
    agent.resume('consent')
    await settle()
    await agent.flush()
    expect(w.relay.ids).toEqual([`${streamOf(0)}-3`])
    expect(w.relay.dropped.get(streamOf(0))).toEqual({ purged: 3 })
    expect(w.relay.recorded.get(streamOf(0))).toBe(4)
  })

  test('and says how many are in a request, which cannot be called back', async () => {
    const w = world()
    const { agent } = await w.open()
    const hang = deferred()
    w.relay.faults.push(() => hang.promise)
    for (let n = 0; n < 2; n++) agent.record(calls, { n })
    void agent.flush()
    await settle()
    agent.record(calls, { n: 2 })
    expect(await agent.purge()).toMatchObject({ events: 3, inFlight: 2 })
    hang.resolve()
    await settle()
    expect(w.relay.ids).toEqual([0, 1].map((seq) => `${streamOf(0)}-${seq}`))
    expect(await agent.purge()).toMatchObject({ events: 0, inFlight: 0 })
  })

  test('sends nothing of it while it is under way, and goes on when it is over, done or failed', async () => {
    const w = world()
    const home = createMemoryOutbox({ random: () => 'device-1' })
    let hang = deferred()
    const outbox = {
      ...sharedOutbox(home),
      purge: (options: PurgeOptions) => hang.promise.then(() => home.purge(options)),
    }
    const { agent } = await w.open({}, { outbox })
    agent.record(calls, { n: 0 })
    const failing = agent.purge()
    await settle()
    await agent.flush()
    expect([w.relay.ids, agent.stats().inFlight]).toEqual([[], 0])
    hang.reject(new MetertapError('outbox_unavailable', 'No.'))
    expect((await failure(() => failing)).code).toBe('outbox_unavailable')
    await agent.flush()
    expect(w.relay.ids).toEqual([`${streamOf(0)}-0`])
    hang = deferred()
    agent.record(calls, { n: 1 })
    const purging = agent.purge()
    await settle()
    await agent.flush()
    hang.resolve()
    expect(await purging).toMatchObject({ events: 1, inFlight: 0 })
    agent.record(calls, { n: 2 })
    await agent.flush()
    expect(w.relay.ids).toEqual([0, 2].map((seq) => `${streamOf(0)}-${seq}`))
  })

  test.each(['claim', 'settle'] as const)('sends nothing of it that a %s under way has in hand', async (verb) => {
    const w = world()
    const home = createMemoryOutbox({ random: () => 'device-1' })
    const outbox = sharedOutbox(home)
    const { agent } = await w.open({ maxBatchEvents: 2 }, { outbox })
    let purged: Promise<PurgeReceipt> | undefined
    const call = home[verb] as (options: never) => Promise<unknown>
    Object.assign(outbox, {
      async [verb](options: never) {
        const answer = await call(options)
        purged ??= agent.purge()
        // As long as a transaction's answer may take to arrive after the purge was asked for.
        for (let turn = 0; turn < 50; turn++) await undefined
        return answer
      },
    })
    for (let n = 0; n < 6; n++) {
      agent.record(calls, { n })
      await settle()
    }
    await agent.flush()
    const { events, inFlight } = (await purged) as PurgeReceipt
    await settle()
    await agent.flush()
    const sent = verb === 'settle' ? 2 : 0
    expect([events, w.relay.ids.length, w.relay.dropped.get(streamOf(0))]).toEqual([
      6 - sent,
      sent,
      { purged: 6 - sent },
    ])
    expect(inFlight).toBe(sent)
  })
})

describe('an agent closes', () => {
  test('stores, sends once more, and leaves nothing running', async () => {
    const w = world()
    const outbox = outboxDouble('process')
    const { agent, runtime } = await w.open({}, { outbox })
    const receipt = agent.record(calls, { n: 1 })
    const closing = agent.close()
    const late = agent.record(calls, { n: 2 })
    await closing
    expect(await receipt.durable).toBe('process')
    expect(late.error?.code).toBe('closed')
    expect(w.relay.ids).toEqual([`${streamOf(0)}-0`])
    expect([w.clock.pendingMs, runtime.listeners, w.locks.isHeld('metertap:metertap:')]).toEqual([[], 0, false])
    expect((await failure(() => outbox.totals())).code).toBe('closed')
    expect(agent.close()).toBe(agent.close())
    expect(agent.stats()).toMatchObject({ recorded: 1, pausedBy: ['closed'] })
    expect(agent.stats().refused).toEqual({})
  })

  test('tries even in the middle of a backoff', async () => {
    const w = world()
    const { agent } = await w.open()
    w.relay.faults.push(500)
    agent.record(calls, { n: 1 })
    await agent.flush()
    await agent.close()
    expect(w.relay.events.size).toBe(1)
  })

  test('waits five seconds for the last answer, not for ever', async () => {
    const w = world()
    const { agent, heard } = await w.open()
    w.relay.faults.push(({ batch: _ }) => new Promise<void>(() => {}))
    agent.record(calls, { n: 1 })
    await settle()
    let closed = false
    void agent.close().then(() => {
      closed = true
    })
    await w.clock.advance(4_999)
    expect(closed).toBe(false)
    await w.clock.advance(1)
    expect([closed, w.clock.pendingMs]).toEqual([true, []])
    expect(heard.filter(({ event }) => event === 'trouble')).toEqual([])
  })

  test('with a hold or a deferral under way: no timer stays', async () => {
    const w = world()
    const { agent } = await w.open()
    const retry = [{ stream: streamOf(0), from: 1, to: 1, delayMs: 30_000 }]
    w.relay.answer = (answer) => ({
      ...answer,
      received: { [streamOf(0)]: [[0, 0]] },
      retry,
      policy: { holdMs: 9_000 },
    })
    agent.record(calls, { n: 1 })
    agent.record(calls, { n: 2 })
    await agent.flush()
    expect(w.clock.pendingMs, 'hold, wake-up, housekeeping').toHaveLength(3)
    await agent.close()
    expect(w.clock.pendingMs).toEqual([])
  })

  test('without having recorded: not a word to anybody', async () => {
    const w = world()
    const outbox = outboxDouble()
    const { agent } = await w.open({}, { outbox })
    await agent.close()
    expect([outbox.groups, w.relay.requests]).toEqual([[], []])
  })
})

describe('agents of one origin', () => {
  test('share an outbox: one sends for all', async () => {
    const w = world()
    const outbox = { ...(await idb(w)), close: async () => {} }
    const [a, b] = [await w.open({}, { outbox }), await w.open({}, { outbox })]
    expect([a.agent.stats().sender, b.agent.stats().sender]).toEqual([true, false])
    b.agent.record(calls, { n: 1 })
    await w.clock.advance(10_000)
    expect(w.relay.events.size).toBe(1)
    expect([a.agent.stats().accepted, b.agent.stats().accepted]).toEqual([1, 0])
    expect(b.agent.stats().waiting).toBe(0)
    await a.agent.close()
    await settle()
    expect(b.agent.stats().sender).toBe(true)
    b.agent.record(calls, { n: 2 })
    await b.agent.flush()
    expect(w.relay.events.size).toBe(2)
  })

  test('each with an outbox in memory: each sends its own, whoever has the lock', async () => {
    const w = world()
    const [a, b] = [await w.open(), await w.open()]
    a.agent.record(calls, { n: 1 })
    b.agent.record(calls, { n: 2 })
    await w.clock.advance(5_000)
    expect(w.relay.events.size).toBe(2)
  })

  test('without locks: both may send, each event is taken once', async () => {
    const w = world()
    const outbox = { ...(await idb(w)), close: async () => {} }
    const pages = [await w.open({}, { outbox, locks: false }), await w.open({}, { outbox, locks: false })]
    for (let n = 0; n < 40; n++) pages[n % 2]?.agent.record(calls, { n })
    await settle()
    const hang = deferred()
    w.relay.faults.push(() => hang.promise)
    const flights = [pages[0]?.agent.flush()]
    await settle()
    flights.push(pages[1]?.agent.flush())
    await settle()
    hang.resolve()
    await Promise.all(flights)
    await settle()
    expect(w.relay.events.size).toBe(40)
    const sent = w.relay.requests.flatMap(({ batch }) => batch.segments.flatMap(({ events }) => events))
    expect(sent, 'a lease keeps the same events from travelling twice').toHaveLength(40)
    const [x, y] = pages.map(({ agent }) => agent.stats().accepted)
    expect((x ?? 0) + (y ?? 0)).toBe(40)
  })

  test('without locks and without a channel: flush() also finds out what others have sent', async () => {
    const w = world()
    const outbox = sharedOutbox()
    const [a, b] = [await w.open({}, { outbox, locks: false }), await w.open({}, { outbox, locks: false })]
    // As between processes, which have no channel.
    w.channels.isDeaf = true
    a.agent.record(calls, { n: 1 })
    await settle()
    await b.agent.flush()
    expect(w.relay.events.size).toBe(1)
    expect(a.agent.stats().waiting).toBe(1)
    await a.agent.flush()
    expect(a.agent.stats().waiting).toBe(0)
  })

  test('of two accounts never send each other’s events', async () => {
    const w = world()
    const outbox = { ...(await idb(w)), close: async () => {} }
    const a = await w.open({ account: 'a', token: () => 'token-a' }, { outbox })
    a.agent.pause('consent')
    a.agent.record(calls, { n: 1 })
    await a.agent.close()
    const b = await w.open({ account: 'b', token: () => 'token-b' }, { outbox })
    b.agent.record(calls, { n: 2 })
    await b.agent.flush()
    expect(w.relay.ids).toEqual([`${streamOf(1)}-0`])
    const again = await w.open({ account: 'a', token: () => 'token-a' }, { outbox })
    await again.agent.flush()
    const tokens = w.relay.requests.map(({ token, batch }) => [token, batch.streams.map(({ id }) => id)])
    expect(tokens).toEqual([
      ['token-b', [streamOf(1)]],
      ['token-a', [streamOf(0)]],
    ])
  })
})

describe('an agent whose device id cannot be read', () => {
  test('sends all the same', async () => {
    const w = world()
    const outbox = outboxDouble()
    outbox.deviceId = () => Promise.reject(new Error('meta is broken'))
    const { agent } = await w.open({}, { outbox })
    agent.record(calls, { n: 1 })
    await agent.flush()
    expect(w.relay.requests[0]?.batch.device).toBe('unknown')
  })
})

describe('startAgent', () => {
  test('throws for options, and does nothing before', async () => {
    const { clock, relay } = world()
    const runtime = fakeRuntime({ clock, fetch: relay.fetch, newStreamId: () => streamOf(0) })
    let opened = 0
    const openOutbox = async () => {
      opened++
      return outboxDouble()
    }
    const options = { relay: 'nowhere', token: () => 't', meters: [calls] }
    expect((await failure(() => startAgent(options, { runtime, openOutbox }))).code).toBe('bad_option')
    expect(opened).toBe(0)
  })

  test('tells of an outbox that lost its home', async () => {
    const { clock, relay } = world()
    const runtime = fakeRuntime({ clock, fetch: relay.fetch, newStreamId: () => streamOf(0) })
    const lost = new MetertapError('outbox_unavailable', 'Memory only.')
    const agent = startAgent(
      { relay: 'https://relay.test', token: () => 't', meters: [calls] },
      {
        runtime,
        openOutbox: async (name, { onDegraded }) => {
          await null
          onDegraded(lost)
          expect(name).toBe('metertap')
          return outboxDouble()
        },
      },
    )
    const heard: unknown[] = []
    agent.on('degraded', (detail) => heard.push(detail))
    await settle()
    expect(heard).toEqual([{ code: 'outbox_unavailable', detail: 'Memory only.' }])
    expect(agent.stats().durability).toBe('memory')
  })
})
