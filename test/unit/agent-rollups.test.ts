import 'fake-indexeddb/auto'
import { describe, expect, test } from 'vitest'
import * as z from 'zod'
import { defineMeter } from '../../src/meter/define-meter.ts'
import { openIdbOutbox } from '../../src/outbox/idb/open.ts'
import { MetertapError } from '../../src/wire/errors.ts'
import { calls, type Page, sharedOutbox, streamOf, type World, world } from '../support/agent-world.ts'
import { failure, settle } from '../support/fake-clock.ts'
import { outboxDouble } from '../support/outbox-double.ts'

const MINUTE_MS = 60_000
const shape = z.object({
  region: z.string().nullable().optional(),
  tokens: z.number().max(1e15),
  calls: z.int().optional(),
})
const hot = defineMeter('hot', shape, { aggregate: { windowMs: MINUTE_MS, sum: ['tokens'], by: ['region'] } })
const power = defineMeter('power', shape, {
  durability: 'power',
  aggregate: { windowMs: MINUTE_MS, sum: ['tokens'] },
})
const meters = [hot, power, calls]

/** The fake clock starts 20 s into a minute. */
const INTO_MS = 1_700_000_000_000 % MINUTE_MS
const startMs = (w: World) => Math.floor(w.clock.now() / MINUTE_MS) * MINUTE_MS
const events = (w: World) => [...w.relay.events.values()]
const openRollups = async (page: Page) =>
  (await page.agent.streams()).map(({ recorded, settled }) => [recorded, settled])

describe('a roll-up', () => {
  test('makes one event of a window, at the window’s start, when the window ends', async () => {
    const w = world()
    const { agent } = await w.open({ meters })
    for (let n = 0; n < 1_000; n++) agent.record(hot, { region: 'eu', tokens: 2 })
    const from = startMs(w)
    await w.clock.advance(MINUTE_MS - INTO_MS - 1)
    expect([w.relay.events.size, agent.stats().openWindows]).toEqual([0, 1])
    await w.clock.advance(10_000)
    expect([...w.relay.events]).toEqual([[`${streamOf(0)}-0`, ['hot', from, { region: 'eu', tokens: 2_000 }]]])
    expect(agent.stats()).toMatchObject({ recorded: 1, accepted: 1, waiting: 0, openWindows: 0 })
  })

  test('makes one for each window and combination of "by"; a missing field is not null', async () => {
    const w = world()
    const { agent } = await w.open({ meters })
    for (const region of ['eu', 'us', null, undefined]) {
      agent.record(hot, { region, tokens: 1 })
      agent.record(hot, { region, tokens: 10 })
    }
    await w.clock.advance(MINUTE_MS - INTO_MS)
    agent.record(hot, { region: 'eu', tokens: 100 })
    await w.clock.advance(2 * MINUTE_MS)
    expect(events(w).map((event) => (event as unknown[])[2])).toEqual([
      { region: 'eu', tokens: 11 },
      { region: 'us', tokens: 11 },
      { region: null, tokens: 11 },
      { tokens: 11 },
      { region: 'eu', tokens: 100 },
    ])
  })

  test('keeps meters apart, and sends only the fields that it names', async () => {
    const w = world()
    const { agent } = await w.open({ meters })
    agent.record(hot, { tokens: 1, calls: 7 })
    agent.record(power, { tokens: 2, region: 'eu' })
    await w.clock.advance(2 * MINUTE_MS)
    expect(events(w).map((event) => [(event as unknown[])[0], (event as unknown[])[2]])).toEqual([
      ['hot', { tokens: 1 }],
      ['power', { tokens: 2 }],
    ])
  })

  test('adds without rounding errors', async () => {
    const w = world()
    const { agent } = await w.open({ meters })
    for (let n = 0; n < 10; n++) agent.record(hot, { tokens: 0.1 })
    agent.record(hot, { region: 'x', tokens: 1e15 })
    agent.record(hot, { region: 'x', tokens: -1e15 })
    agent.record(hot, { region: 'x', tokens: 0.25 })
    await w.clock.advance(MINUTE_MS)
    expect(events(w).map((event) => ((event as unknown[])[2] as { tokens: number }).tokens)).toEqual([1, 0.25])
  })

  test('late usage goes to the window of its time, in an event of its own, after a window’s time', async () => {
    const w = world()
    const { agent } = await w.open({ meters })
    const at = startMs(w) - 3_600_000
    agent.record(hot, { tokens: 1 }, { at: at + 5_000 })
    agent.record(hot, { tokens: 2 }, { at: new Date(at + 59_999) })
    await w.clock.advance(MINUTE_MS - 1)
    expect(w.relay.events.size).toBe(0)
    await w.clock.advance(6_000)
    expect(events(w)).toEqual([['hot', at, { tokens: 3 }]])
    agent.record(hot, { tokens: 4 }, { at })
    await w.clock.advance(MINUTE_MS + 6_000)
    expect([...w.relay.events]).toEqual([
      [`${streamOf(0)}-0`, ['hot', at, { tokens: 3 }]],
      [`${streamOf(0)}-1`, ['hot', at, { tokens: 4 }]],
    ])
  })

  test('usage from a time to come waits no longer than a window', async () => {
    const w = world()
    const { agent } = await w.open({ meters })
    agent.record(hot, { tokens: 1 }, { at: w.clock.now() + 10 ** 11 })
    await w.clock.advance(MINUTE_MS + 6_000)
    expect([w.relay.events.size, agent.stats().openWindows]).toEqual([1, 0])
  })

  test('numbers stay without a gap between plain events', async () => {
    const w = world()
    const { agent } = await w.open({ meters })
    const ids = [
      agent.record(calls, { n: 0 }),
      agent.record(hot, { tokens: 1 }),
      agent.record(calls, { n: 2 }),
      agent.record(hot, { tokens: 1 }),
      agent.record(hot, { region: 'eu', tokens: 1 }),
      agent.record(calls, { n: 4 }),
    ].map(({ id }) => id)
    expect(ids, 'receipts of one window share its id').toEqual([0, 1, 2, 1, 3, 4].map((seq) => `${streamOf(0)}-${seq}`))
    await w.clock.advance(2 * MINUTE_MS)
    expect([...w.relay.events.keys()].sort()).toEqual([0, 1, 2, 3, 4].map((seq) => `${streamOf(0)}-${seq}`))
    expect(w.relay.recorded.get(streamOf(0))).toBe(5)
    expect(agent.stats()).toMatchObject({ waiting: 0, waitingBytes: 0 })
  })

  test('counts as one that waits, from its first addition to its delivery', async () => {
    const w = world()
    const { agent } = await w.open({ meters })
    agent.pause('test')
    for (let n = 0; n < 3; n++) await agent.record(hot, { tokens: 1 }).durable
    expect(agent.stats().waiting).toBe(1)
    await w.clock.advance(MINUTE_MS)
    expect(agent.stats().waiting).toBe(1)
    agent.resume('test')
    await settle()
    expect(agent.stats().waiting).toBe(0)
  })

  test('a sum that the schema would not take begins another event; nothing is lost', async () => {
    const w = world()
    const whole = defineMeter('whole', z.object({ n: z.int().max(10) }), {
      aggregate: { windowMs: MINUTE_MS, sum: ['n'] },
    })
    const big = defineMeter('big', z.object({ n: z.number() }), { aggregate: { windowMs: MINUTE_MS, sum: ['n'] } })
    const { agent } = await w.open({ meters: [whole, big] })
    for (const n of [6, 3, 4, 6, 1]) expect(agent.record(whole, { n }).error).toBeUndefined()
    for (const n of [Number.MAX_SAFE_INTEGER, 1, 1e308, 1e308]) agent.record(big, { n })
    await w.clock.advance(2 * MINUTE_MS)
    const sums = events(w).map((event) => ((event as unknown[])[2] as { n: number }).n)
    expect(sums.slice().sort((a, b) => a - b)).toEqual([1, 9, 10, Number.MAX_SAFE_INTEGER, 1e308, 1e308])
  })
})

describe('a roll-up refuses', () => {
  test.each([
    ['data that its schema refuses', { tokens: 'x' }, {}, 'invalid_data'],
    ['a sum that is not there', { region: 'eu' }, {}, 'invalid_data'],
    ['data that is none', null, {}, 'invalid_data'],
    ['a bad time', { tokens: 1 }, { at: Number.NaN }, 'bad_time'],
    ['an idempotency key', { tokens: 1 }, { idempotencyKey: 'order-1' }, 'bad_idempotency_key'],
    ['an event over the limit', { tokens: 1, region: 'ü'.repeat(600) }, {}, 'event_too_large'],
  ])('%s, and opens no window', async (_, data, options, code) => {
    const w = world()
    const { agent } = await w.open({ meters, maxEventBytes: 1_000 })
    expect(agent.record(hot, data as never, options).error?.code).toBe(code)
    expect(agent.stats()).toMatchObject({ openWindows: 0, recorded: 0, refused: { [code]: 1 } })
    await w.clock.advance(2 * MINUTE_MS)
    expect(w.relay.events.size).toBe(0)
  })

  test('a field that the sum’s event would lack', async () => {
    const w = world()
    const strict = defineMeter('strict', z.object({ n: z.number(), who: z.string() }), {
      aggregate: { windowMs: MINUTE_MS, sum: ['n'] },
    })
    const { agent } = await w.open({ meters: [strict] })
    expect(agent.record(strict, { n: 1, who: 'me' }).error?.code).toBe('invalid_data')
    expect(agent.stats().openWindows).toBe(0)
  })

  test('another window when the outbox is full, but goes on with those that are open', async () => {
    const w = world()
    const { agent } = await w.open({ meters, maxOutboxBytes: 60 })
    expect(agent.record(hot, { tokens: 1 }).error).toBeUndefined()
    expect(agent.record(hot, { region: 'eu', tokens: 1 }).error?.code).toBe('outbox_full')
    expect(agent.record(calls, { n: 1 }).error?.code).toBe('outbox_full')
    expect(agent.record(hot, { tokens: 1 }).error).toBeUndefined()
    await w.clock.advance(2 * MINUTE_MS)
    expect(events(w)).toMatchObject([['hot', expect.any(Number), { tokens: 2 }]])
    expect(agent.record(hot, { region: 'eu', tokens: 1 }).error).toBeUndefined()
  })
})

describe('a roll-up is durable', () => {
  test('with each group commit, and says what it survives', async () => {
    const w = world()
    const outbox = outboxDouble('process')
    const { agent } = await w.open({ meters }, { outbox })
    expect(await agent.record(hot, { tokens: 1 }).durable).toBe('process')
    expect(await agent.record(power, { tokens: 1 }).durable).toBe('power')
    agent.record(calls, { n: 1 })
    agent.record(hot, { tokens: 5 })
    await settle()
    expect(
      outbox.groups.map(({ strict, rollups }) => [strict, rollups?.map(({ seq, event }) => [seq, event])]),
    ).toEqual([
      [false, [[0, JSON.stringify(['hot', startMs(w), { tokens: 1 }])]]],
      [true, [[1, JSON.stringify(['power', startMs(w), { tokens: 1 }])]]],
      [false, [[0, JSON.stringify(['hot', startMs(w), { tokens: 6 }])]]],
    ])
  })

  test('after a failed write: written again with the next group, and the receipt waits for it', async () => {
    const w = world()
    const outbox = outboxDouble('process')
    const { agent, heard } = await w.open({ meters }, { outbox })
    outbox.before = () => {
      throw new MetertapError('outbox_full', 'No room.')
    }
    const receipt = agent.record(power, { tokens: 1 })
    let survives: string | undefined
    void receipt.durable.then((durability) => {
      survives = durability
    })
    await settle()
    expect([survives, heard.filter(({ event }) => event === 'trouble')]).toMatchObject([undefined, [{}]])
    outbox.before = () => {}
    expect(await agent.record(hot, { tokens: 2 }).durable, 'the first asked for it').toBe('power')
    expect(survives).toBe('power')
    await w.clock.advance(2 * MINUTE_MS)
    expect(events(w).map((event) => (event as unknown[])[2])).toEqual([{ tokens: 1 }, { tokens: 2 }])
    expect([w.relay.dropped.get(streamOf(0)), agent.stats().waiting]).toEqual([{}, 0])
  })

  test('after a failed write: by itself, without another record()', async () => {
    const w = world()
    const outbox = outboxDouble('process')
    const { agent } = await w.open({ meters }, { outbox })
    outbox.before = () => {
      throw new MetertapError('outbox_full', 'No room.')
    }
    const receipt = agent.record(hot, { tokens: 1 })
    await w.clock.advance(9_000)
    outbox.before = () => {}
    await w.clock.advance(1_000)
    expect(await Promise.race([receipt.durable, 'pending'])).toBe('process')
  })

  test('a window that ends while nothing can be stored is not given up', async () => {
    const w = world()
    const outbox = outboxDouble('process')
    const { agent } = await w.open({ meters }, { outbox })
    await agent.record(hot, { tokens: 3 }).durable
    outbox.before = () => {
      throw new MetertapError('outbox_full', 'No room.')
    }
    await w.clock.advance(2 * MINUTE_MS)
    expect(agent.stats().openWindows).toBe(0)
    outbox.before = () => {}
    await w.clock.advance(10_000)
    expect([...w.relay.events]).toMatchObject([[`${streamOf(0)}-0`, ['hot', expect.any(Number), { tokens: 3 }]]])
    expect([w.relay.dropped.get(streamOf(0)), agent.stats().waiting]).toEqual([{}, 0])
  })

  test('what could not be stored by the end says so', async () => {
    const w = world()
    const outbox = outboxDouble('process')
    const { agent } = await w.open({ meters }, { outbox })
    outbox.before = () => {
      throw new MetertapError('outbox_full', 'No room.')
    }
    const { durable } = agent.record(hot, { tokens: 1 })
    const refused = failure(() => durable)
    await agent.close()
    expect((await refused).code).toBe('outbox_full')
    expect(w.clock.pendingMs).toEqual([])
  })
})

const shared = {
  memory: async () => sharedOutbox(),
  IndexedDB: async (w: World) =>
    sharedOutbox(await openIdbOutbox({ indexedDB: new IDBFactory(), random: () => 'device-1', clock: w.clock.now })),
}

describe.each(Object.entries(shared))('a roll-up and a crash, with an outbox in %s', (_, home) => {
  test('the sum arrives once, from the next page, when the window has ended', async () => {
    const w = world()
    const outbox = await home(w)
    const first = await w.open({ meters }, { outbox })
    for (const tokens of [1, 2, 3]) await first.agent.record(hot, { region: 'eu', tokens }).durable
    first.crash()
    const second = await w.open({ meters }, { outbox })
    await second.agent.flush()
    expect(w.relay.events.size).toBe(0)
    await w.clock.advance(3 * MINUTE_MS)
    expect([...w.relay.events]).toMatchObject([
      [`${streamOf(0)}-0`, ['hot', expect.any(Number), { region: 'eu', tokens: 6 }]],
    ])
    expect(await openRollups(second)).toEqual([[1, 1]])
    expect(second.agent.stats()).toMatchObject({ waiting: 0, accepted: 1 })
  })

  test('the next start finds a window that ended long ago, also of a meter it does not know', async () => {
    const w = world()
    const outbox = await home(w)
    const first = await w.open({ meters }, { outbox })
    await first.agent.record(hot, { tokens: 5 }).durable
    first.crash()
    await w.clock.advance(10 * MINUTE_MS)
    await w.open({ meters: [calls] }, { outbox })
    expect(events(w)).toMatchObject([['hot', expect.any(Number), { tokens: 5 }]])
  })

  test('an owner that lives is never taken for dead, however late its timer is', async () => {
    const w = world()
    const outbox = await home(w)
    const [a, b] = [await w.open({ meters }, { outbox }), await w.open({ meters }, { outbox })]
    await b.agent.record(hot, { tokens: 1 }).durable
    b.runtime.state.freeze()
    await w.clock.advance(10 * MINUTE_MS)
    expect(w.relay.events.size).toBe(0)
    b.runtime.state.thaw()
    b.agent.record(hot, { tokens: 2 }, { at: w.clock.now() - 10 * MINUTE_MS })
    await w.clock.advance(2 * MINUTE_MS)
    const tokens = events(w).map((event) => ((event as unknown[])[2] as { tokens: number }).tokens)
    expect(tokens.reduce((sum, each) => sum + each, 0)).toBe(3)
    expect(a.agent.stats().sender).toBe(true)
  })
})

describe('a roll-up where there are no locks', () => {
  test('counts an owner as dead a day after its window ended', async () => {
    const w = world()
    const outbox = sharedOutbox()
    const first = await w.open({ meters }, { outbox, locks: false })
    await first.agent.record(hot, { tokens: 5 }).durable
    first.crash()
    await w.open({ meters }, { outbox, locks: false })
    await w.clock.advance(80_000_000)
    expect(w.relay.events.size).toBe(0)
    await w.clock.advance(8_000_000)
    expect(events(w)).toMatchObject([['hot', expect.any(Number), { tokens: 5 }]])
  })
})

describe('a roll-up ends early', () => {
  test('with close()', async () => {
    const w = world()
    const { agent } = await w.open({ meters })
    agent.record(hot, { tokens: 1 })
    await agent.close()
    expect(events(w)).toMatchObject([['hot', expect.any(Number), { tokens: 1 }]])
    expect(w.clock.pendingMs).toEqual([])
  })

  test.each(['pagehide', 'freeze'] as const)(
    'with %s: it leaves on the exit path, and later usage opens another',
    async (event) => {
      const w = world()
      const { agent, runtime } = await w.open({ meters })
      agent.record(calls, { n: 1 })
      await agent.flush()
      agent.record(hot, { tokens: 1 })
      await settle()
      runtime.tell(event)
      await settle()
      expect(w.relay.requests.at(-1)).toMatchObject({ path: '/v1/exit', batch: { segments: [{ first: 1 }] } })
      expect([agent.stats().openWindows, w.locks.isHeld(`metertap:stream:${streamOf(0)}`)]).toEqual([0, false])
      runtime.tell(event === 'freeze' ? 'resume' : 'pageshow')
      expect(agent.record(hot, { tokens: 2 }).id).toBe(`${streamOf(0)}-2`)
      expect(w.locks.isHeld(`metertap:stream:${streamOf(0)}`)).toBe(true)
      await w.clock.advance(2 * MINUTE_MS)
      expect([...w.relay.events.keys()].sort()).toEqual([0, 1, 2].map((seq) => `${streamOf(0)}-${seq}`))
    },
  )

  test('not with hidden: a switch of tabs costs no event', async () => {
    const w = world()
    const { agent, runtime } = await w.open({ meters })
    agent.record(hot, { tokens: 1 })
    await settle()
    runtime.tell('hidden')
    runtime.tell('visible')
    expect(agent.record(hot, { tokens: 1 }).id).toBe(`${streamOf(0)}-0`)
  })
})

describe('a roll-up and purge()', () => {
  test('an open window goes too, is declared, and later usage takes a new number', async () => {
    const w = world()
    const { agent } = await w.open({ meters })
    agent.record(hot, { tokens: 1 })
    agent.record(calls, { n: 1 })
    expect(await agent.purge()).toMatchObject({ events: 2 })
    const after = agent.record(hot, { tokens: 10 })
    expect(after.id).toBe(`${streamOf(0)}-2`)
    await w.clock.advance(2 * MINUTE_MS)
    expect([...w.relay.events]).toMatchObject([[`${streamOf(0)}-2`, ['hot', expect.any(Number), { tokens: 10 }]]])
    expect(w.relay.dropped.get(streamOf(0))).toEqual({ purged: 2 })
    expect(agent.stats().waiting).toBe(0)
  })

  test('what is recorded while the purge begins is purged or kept, never half of it', async () => {
    const w = world()
    const { agent } = await w.open({ meters })
    agent.record(hot, { tokens: 1 })
    const purging = agent.purge()
    for (let turn = 0; turn < 5; turn++) {
      agent.record(hot, { region: `${turn}`, tokens: 1 })
      await null
    }
    const { events: purged } = await purging
    await w.clock.advance(2 * MINUTE_MS)
    expect(w.relay.dropped.get(streamOf(0))).toEqual({ purged })
    expect(purged + w.relay.events.size).toBe(6)
    expect([agent.stats().recorded, agent.stats().waiting]).toEqual([6, 0])
  })

  test('another tab’s purge ends this tab’s windows', async () => {
    const w = world()
    const outbox = sharedOutbox()
    const [a, b] = [await w.open({ meters }, { outbox }), await w.open({ meters }, { outbox })]
    await b.agent.record(hot, { tokens: 1 }).durable
    expect(await a.agent.purge()).toMatchObject({ events: 1 })
    await settle()
    expect(b.agent.stats().openWindows).toBe(0)
    expect(b.agent.record(hot, { tokens: 10 }).id).toBe(`${streamOf(1)}-1`)
    await w.clock.advance(2 * MINUTE_MS)
    expect([...w.relay.events]).toMatchObject([[`${streamOf(1)}-1`, ['hot', expect.any(Number), { tokens: 10 }]]])
  })
})

describe('a roll-up and clocks', () => {
  test('a wall clock that is set back keeps no window open', async () => {
    const w = world()
    const { agent } = await w.open({ meters })
    agent.record(hot, { tokens: 1 })
    w.clock.step(-86_400_000)
    await w.clock.advance(2 * MINUTE_MS)
    expect([w.relay.events.size, agent.stats().openWindows]).toEqual([1, 0])
  })

  test('a window that ended while the machine slept is closed when the page is used again', async () => {
    const w = world()
    const { agent, runtime } = await w.open({ meters })
    agent.record(hot, { tokens: 1 })
    w.clock.step(8 * 3_600_000)
    runtime.tell('visible')
    expect(agent.stats().openWindows).toBe(0)
    await w.clock.advance(5_000)
    expect(w.relay.events.size).toBe(1)
  })

  test('an orphan’s window set by a clock that was set back since is found', async () => {
    const w = world()
    const outbox = sharedOutbox()
    const first = await w.open({ meters }, { outbox })
    await first.agent.record(hot, { tokens: 1 }).durable
    first.crash()
    w.clock.step(-10 * 86_400_000)
    await w.open({ meters }, { outbox })
    await settle()
    expect(w.relay.events.size).toBe(1)
  })
})
