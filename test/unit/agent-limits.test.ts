import { describe, expect, test } from 'vitest'
import * as z from 'zod'
import { toNdjson } from '../../src/agent/dead-letters.ts'
import { Room } from '../../src/agent/room.ts'
import { defineMeter } from '../../src/meter/define-meter.ts'
import { bills, calls, sharedOutbox, streamOf, type World, world } from '../support/agent-world.ts'
import { deferred, settle } from '../support/fake-clock.ts'
import { outboxDouble } from '../support/outbox-double.ts'

const texts = defineMeter('texts', z.object({ text: z.string() }))
const meters = [calls, bills, texts]
const EVENT_BYTES = JSON.stringify(['calls', 1_700_000_000_000, { n: 1 }]).length

describe('a full outbox that refuses what is new', () => {
  const full = { maxOutboxBytes: 10 * EVENT_BYTES + 9 }

  test('says so, counts it, tells the relay, and takes events again after delivery', async () => {
    const w = world()
    const { agent, heard } = await w.open(full)
    agent.pause('test')
    const receipts = Array.from({ length: 13 }, () => agent.record(calls, { n: 1 }))
    expect(receipts.map(({ error }) => error?.code)).toEqual([
      ...Array(10).fill(undefined),
      ...Array(3).fill('outbox_full'),
    ])
    expect(heard.filter(({ event }) => event === 'refused')).toHaveLength(3)
    expect(agent.stats()).toMatchObject({ recorded: 10, refused: { outbox_full: 3 } })
    await settle()
    expect(agent.record(calls, { n: 1 }).error?.code, 'stored events count, too').toBe('outbox_full')
    agent.resume('test')
    await settle()
    expect(w.relay.requests.at(-1)?.batch.streams).toEqual([
      { id: streamOf(0), recorded: 10, dropped: {}, refused: { outbox_full: 4 } },
    ])
    expect([w.relay.events.size, agent.record(calls, { n: 1 }).error]).toEqual([10, undefined])
  })

  test('counts what is on its way, group by group', async () => {
    const w = world()
    const outbox = outboxDouble('process')
    const { agent } = await w.open(full, { outbox })
    agent.pause('test')
    const gates = [deferred(), deferred()]
    outbox.before = () => gates[outbox.groups.length - 1]?.promise
    for (let n = 0; n < 5; n++) agent.record(calls, { n: 1 })
    await null
    for (let n = 0; n < 5; n++) agent.record(calls, { n: 1 })
    await settle()
    gates[0]?.resolve()
    await settle()
    expect(agent.record(calls, { n: 1 }).error?.code, 'one group is stored, one is not').toBe('outbox_full')
    gates[1]?.resolve()
    await settle()
    expect(agent.record(calls, { n: 1 }).error?.code).toBe('outbox_full')
  })

  test('a group that could not be stored takes no room', async () => {
    const w = world()
    const outbox = outboxDouble('process')
    const { agent } = await w.open(full, { outbox })
    outbox.before = ({ segments }) => {
      if (segments.length > 0) throw new Error('disk')
    }
    for (let round = 0; round < 5; round++) {
      for (let n = 0; n < 10; n++) expect(agent.record(calls, { n: 1 }).error).toBeUndefined()
      await settle()
    }
  })

  test('counts bytes, not characters, of what is stored', async () => {
    const w = world()
    const { agent } = await w.open({ meters, maxOutboxBytes: 1_000 })
    agent.pause('test')
    await agent.record(texts, { text: '€'.repeat(300) }).durable
    expect(agent.stats().waitingBytes).toBeGreaterThan(900)
    expect(agent.record(texts, { text: 'x'.repeat(200) }).error?.code).toBe('outbox_full')
  })

  test('sees what other tabs stored within one flush interval', async () => {
    const w = world()
    const outbox = sharedOutbox()
    const [a, b] = [await w.open(full, { outbox, online: false }), await w.open(full, { outbox, online: false })]
    for (let n = 0; n < 10; n++) a.agent.record(calls, { n: 1 })
    await settle()
    expect(b.agent.record(calls, { n: 1 }).error, 'not seen yet').toBeUndefined()
    await w.clock.advance(5_000)
    expect(b.agent.record(calls, { n: 1 }).error?.code).toBe('outbox_full')
    a.runtime.tell('online')
    await settle()
    expect([w.relay.events.size, b.agent.record(calls, { n: 1 }).error]).toEqual([11, undefined])
  })
})

describe('a full outbox that drops what is oldest', () => {
  const dropping = { maxOutboxBytes: 20 * EVENT_BYTES, overflow: 'drop-oldest' } as const

  test('takes everything, drops the oldest, counts and tells, and the ledger is even', async () => {
    const w = world()
    const { agent, heard } = await w.open(dropping)
    agent.pause('test')
    for (let n = 0; n < 60; n++) {
      expect(agent.record(calls, { n }).error).toBeUndefined()
      await settle(2)
    }
    await settle()
    expect(agent.stats().waitingBytes).toBeLessThanOrEqual(dropping.maxOutboxBytes)
    agent.resume('test')
    await settle()
    const dropped = w.relay.dropped.get(streamOf(0))?.outbox_full as number
    expect([w.relay.recorded.get(streamOf(0)), w.relay.events.size + dropped]).toEqual([60, 60])
    const told = heard.filter(({ event }) => event === 'dropped').map(({ detail }) => detail)
    expect(told.every(({ reason }) => reason === 'outbox_full')).toBe(true)
    expect(told.reduce((sum, { events }) => sum + (events as number), 0)).toBe(dropped)
    expect(w.relay.ids.at(-1), 'the newest is there').toBe(`${streamOf(0)}-59`)
    expect(w.relay.events.size, 'no more than needed was dropped').toBeGreaterThanOrEqual(15)
    expect(agent.stats()).toMatchObject({ waiting: 0, recorded: 60 })
  })

  test('a burst of groups makes room once for all', async () => {
    const w = world()
    const outbox = outboxDouble('process')
    const drops: number[] = []
    const slow = {
      ...outbox,
      dropOldest: async (options: Parameters<typeof outbox.dropOldest>[0]) => {
        await settle(20)
        drops.push(options.bytes)
        return outbox.dropOldest(options)
      },
    }
    const { agent } = await w.open(dropping, { outbox: slow })
    agent.pause('test')
    for (let n = 0; n < 30; n++) {
      agent.record(calls, { n })
      await null
    }
    await settle(300)
    const waiting = agent.stats().waiting
    expect(waiting, 'not dropped twice over').toBeGreaterThanOrEqual(15)
    expect(drops).toHaveLength(1)
  })

  test('leaves alone what is in a request', async () => {
    const w = world()
    const { agent } = await w.open(dropping, { outbox: sharedOutbox() })
    const hang = deferred()
    w.relay.faults.push(() => hang.promise)
    for (let n = 0; n < 10; n++) agent.record(calls, { n })
    void agent.flush()
    await settle()
    for (let n = 10; n < 60; n++) {
      agent.record(calls, { n })
      await settle(2)
    }
    await settle()
    hang.resolve()
    await w.clock.advance(5_000)
    await agent.flush()
    await settle()
    const dropped = w.relay.dropped.get(streamOf(0))?.outbox_full ?? 0
    expect(dropped).toBeGreaterThan(0)
    expect(w.relay.events.size + dropped).toBe(60)
    for (let n = 0; n < 10; n++) expect(w.relay.events.has(`${streamOf(0)}-${n}`)).toBe(true)
  })

  test('an outbox that fails at it is told as trouble, not as an unhandled rejection', async () => {
    const w = world()
    const outbox = outboxDouble('process')
    const broken = { ...outbox, dropOldest: () => Promise.reject(new Error('disk')) }
    const { agent, heard } = await w.open(dropping, { outbox: broken })
    agent.pause('test')
    for (let n = 0; n < 30; n++) agent.record(calls, { n })
    await settle()
    expect(heard).toContainEqual({ event: 'trouble', detail: { code: 'outbox_unavailable', detail: 'Error: disk' } })
  })
})

describe('making room', () => {
  test('goes on until it is enough, or nothing more can go', async () => {
    const counters = { waitingBytes: 350 }
    const seen = { drops: [] as number[], dropped: [] as number[], told: 0 }
    const dropOldest = async ({ bytes }: { bytes: number }) => {
      seen.drops.push(bytes)
      if (seen.drops.length > 2) return 0
      counters.waitingBytes -= 100
      return 4
    }
    const room = new Room({
      settings: { maxOutboxBytes: 100 },
      counters,
      sender: { recount: async () => {}, dropped: () => seen.told++ },
      opened: Promise.resolve({ dropOldest }),
      now: Date.now,
      emit: (event, detail) => {
        if (event === 'dropped') seen.dropped.push((detail as { events: number }).events)
      },
    })
    await Promise.all([room.make(), room.make()])
    expect(seen).toEqual({ drops: [260, 160, 60], dropped: [4, 4], told: 2 })
  })
})

async function withDeadLetters(w: World) {
  const outbox = sharedOutbox()
  const rejecting = (account: string) => w.open({ account }, { outbox })
  w.relay.answer = ({ received, ...rest }) => {
    const streams = Object.keys(received as object)
    const rejected = streams.map((stream) => ({ stream, seq: 0, code: 'unknown_meter', detail: 'No such meter.' }))
    return { ...rest, received: {}, rejected }
  }
  const [a, b] = [await rejecting('a'), await rejecting('b')]
  a.agent.record(calls, { n: 1.5 })
  b.agent.record(calls, { n: 2 })
  await Promise.all([a.agent.flush(), b.agent.flush()])
  w.relay.events.clear()
  w.relay.answer = (answer) => answer
  return { a, b, outbox }
}

describe('dead letters', () => {
  test('are listed for their own account alone, with the reason', async () => {
    const w = world()
    const { a, b } = await withDeadLetters(w)
    const letters = await a.agent.deadLetters()
    expect(letters).toMatchObject([{ accountTag: 'a', seq: 0, code: 'unknown_meter', detail: 'No such meter.' }])
    expect(await b.agent.deadLetters()).toMatchObject([{ accountTag: 'b' }])
    expect(a.heard).toContainEqual({
      event: 'deadletter',
      detail: { id: `${letters[0]?.stream}-0`, code: 'unknown_meter', detail: 'No such meter.' },
    })
  })

  test('are sent again under their old ids', async () => {
    const w = world()
    const { a } = await withDeadLetters(w)
    expect(await a.agent.retryDeadLetters()).toBe(1)
    await settle()
    const [stream] = await a.agent.streams()
    expect([...(w.relay.requests.at(-1)?.batch.segments ?? [])]).toMatchObject([
      { stream: stream?.stream, first: 0, events: [['calls', expect.any(Number), { n: 1.5 }]] },
    ])
    expect([await a.agent.deadLetters(), a.agent.stats().accepted, a.agent.stats().deadLetters]).toEqual([[], 1, 1])
  })

  test('the chosen ones only, and never another account’s', async () => {
    const w = world()
    const { a, b } = await withDeadLetters(w)
    const [foreign] = await b.agent.deadLetters()
    if (!foreign) throw new Error('There is none.')
    expect(await a.agent.retryDeadLetters([foreign])).toBe(0)
    expect(await a.agent.retryDeadLetters([])).toBe(0)
    await a.agent.deleteDeadLetters([foreign])
    expect([(await a.agent.deadLetters()).length, (await b.agent.deadLetters()).length]).toEqual([1, 1])
    await b.agent.deleteDeadLetters([foreign])
    expect((await b.agent.deadLetters()).length).toBe(0)
  })

  test('purge() takes the account’s, and says how many', async () => {
    const w = world()
    const { a, b } = await withDeadLetters(w)
    expect(await a.agent.purge()).toEqual({
      events: 0,
      inFlight: 0,
      deadLetters: 1,
      accountTag: 'a',
      atMs: w.clock.now(),
    })
    expect([(await a.agent.deadLetters()).length, (await b.agent.deadLetters()).length]).toEqual([0, 1])
  })

  test('are exported as NDJSON, one a line', async () => {
    const w = world()
    const { a } = await withDeadLetters(w)
    const text = await a.agent.exportDeadLetters()
    expect(text.endsWith('\n')).toBe(true)
    expect(
      text
        .trimEnd()
        .split('\n')
        .map((line) => JSON.parse(line) as unknown),
    ).toEqual([
      {
        id: expect.stringMatching(/-0$/),
        event: ['calls', w.clock.now(), { n: 1.5 }],
        code: 'unknown_meter',
        detail: 'No such meter.',
        diedAt: new Date(w.clock.now()).toISOString(),
      },
    ])
  })

  test('one that is damaged does not spoil the export', () => {
    const letter = {
      stream: 's',
      seq: 1,
      accountTag: '',
      event: '["calls",',
      code: 'c',
      detail: 'line\nbreak',
      diedAtMs: 0,
    }
    const lines = toNdjson([letter, { ...letter, event: '[]' }])
      .trimEnd()
      .split('\n')
    expect(lines.map((line) => (JSON.parse(line) as { event: unknown }).event)).toEqual(['["calls",', []])
  })
})

describe('an idempotency key', () => {
  test('travels with its event, and only with it', async () => {
    const w = world()
    const { agent } = await w.open()
    agent.record(calls, { n: 1 }, { idempotencyKey: 'order-1' })
    agent.record(calls, { n: 2 })
    agent.record(calls, { n: 3 }, { idempotencyKey: 'ü'.repeat(200) })
    await agent.flush()
    expect([...w.relay.events.values()]).toEqual([
      ['calls', w.clock.now(), { n: 1 }, 'order-1'],
      ['calls', w.clock.now(), { n: 2 }],
      ['calls', w.clock.now(), { n: 3 }, 'ü'.repeat(200)],
    ])
    expect(await agent.streams()).toMatchObject([{ settled: 3, dropped: {} }])
  })

  test('survives a split of its segment and a retry', async () => {
    const w = world()
    const { agent } = await w.open()
    w.relay.faults.push(413, 500)
    for (let n = 0; n < 4; n++) agent.record(calls, { n }, { idempotencyKey: `order-${n}` })
    await agent.flush()
    await w.clock.advance(5_000)
    expect([...w.relay.events.values()].map((event) => (event as unknown[])[3])).toEqual(
      [0, 1, 2, 3].map((n) => `order-${n}`),
    )
  })

  test.each([[''], ['x'.repeat(201)], [7 as never], [null as never]])('%j is refused', async (idempotencyKey) => {
    const w = world()
    const { agent } = await w.open()
    expect(agent.record(calls, { n: 1 }, { idempotencyKey }).error?.code).toBe('bad_idempotency_key')
    expect(agent.stats()).toMatchObject({ recorded: 0, refused: { bad_idempotency_key: 1 } })
  })
})

describe('an event that is too large', () => {
  test('is refused by record(), counted in bytes', async () => {
    const w = world()
    const { agent } = await w.open({ meters, maxEventBytes: 1_000 })
    expect(agent.record(texts, { text: '€'.repeat(300) }).error).toBeUndefined()
    expect(agent.record(texts, { text: '€'.repeat(330) }).error?.code).toBe('event_too_large')
  })
})

describe('a meter that is none', () => {
  test.each([[{ name: Symbol('x') }], [7], ['calls']])('%j gives a receipt with the reason', async (meter) => {
    const w = world()
    const { agent } = await w.open()
    expect(agent.record(meter as never, {} as never).error?.code).toBe('unknown_meter')
  })
})
