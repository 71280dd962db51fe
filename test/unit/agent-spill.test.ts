import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { startAgent } from '../../src/agent/create-agent.ts'
import { Spill } from '../../src/agent/spill.ts'
import { restoreSpill } from '../../src/agent/spill-restore.ts'
import { defineMeter } from '../../src/meter/define-meter.ts'
import type { Outbox } from '../../src/outbox/contract.ts'
import { createMemoryOutbox } from '../../src/outbox/memory/open.ts'
import { resilientOutbox } from '../../src/outbox/resilient/open.ts'
import { MetertapError } from '../../src/wire/errors.ts'
import { calls, streamOf } from '../support/agent-world.ts'
import { deferred, fakeClock, settle } from '../support/fake-clock.ts'
import { fakeRuntime } from '../support/fake-runtime.ts'
import { type FaultyOutbox, faultyOutbox } from '../support/faulty-outbox.ts'
import { outboxDouble } from '../support/outbox-double.ts'
import { TinyRelay } from '../support/tiny-relay.ts'

/** localStorage over a map; `room` is how many characters it takes. */
class FakeStorage implements Storage {
  readonly #items = new Map<string, string>()
  readonly #room: number
  constructor(room = Number.POSITIVE_INFINITY) {
    this.#room = room
  }
  get length(): number {
    return this.#items.size
  }
  key = (index: number): string | null => [...this.#items.keys()][index] ?? null
  getItem = (key: string): string | null => this.#items.get(key) ?? null
  setItem = (key: string, text: string): void => {
    if (text.length > this.#room) throw new DOMException('Full', 'QuotaExceededError')
    this.#items.set(key, text)
  }
  removeItem = (key: string): void => void this.#items.delete(key)
  clear = (): void => this.#items.clear()
}

/** A home that counts as lasting, and can be told when to open. */
function durable(outbox: Outbox): Outbox {
  return { ...outbox, durability: 'process' }
}

const texts = defineMeter('texts', z.object({ text: z.string() }))
const tokens = defineMeter('tokens', z.object({ n: z.number() }), { aggregate: { windowMs: 3_600_000, sum: ['n'] } })

function page(storage: Storage | undefined, opening: Promise<Outbox>, stream: number) {
  const clock = fakeClock()
  const relay = new TinyRelay()
  const runtime = { ...fakeRuntime({ clock, fetch: relay.fetch, newStreamId: () => streamOf(stream) }), storage }
  const options = { relay: 'https://relay.test', token: () => 'token', meters: [calls, tokens, texts] }
  const agent = startAgent(options, { runtime, openOutbox: () => opening })
  return { agent, runtime, relay, clock }
}

/** The next page, once it has sent what it could. */
async function visit(storage: Storage, outbox: Outbox) {
  const next = page(storage, Promise.resolve(outbox), 2)
  await settle()
  await next.agent.flush()
  return next
}

describe('a page that goes before its outbox is open', () => {
  test('leaves its events for the next one, which sends them once', async () => {
    const storage = new FakeStorage()
    const first = page(storage, new Promise(() => {}), 1)
    for (let n = 0; n < 3; n++) first.agent.record(calls, { n })
    first.runtime.tell('pagehide')
    expect(storage.length).toBe(1)

    const outbox = durable(createMemoryOutbox({ random: () => 'device' }))
    const next = page(storage, Promise.resolve(outbox), 2)
    await settle()
    await next.agent.flush()
    expect(next.relay.ids).toEqual([0, 1, 2].map((seq) => `${streamOf(1)}-${seq}`))
    expect(storage.length).toBe(0)
    const [left] = await next.agent.streams()
    expect(left).toMatchObject({ stream: streamOf(1), recorded: 3, settled: 3 })
  })

  test('and comes back, stores them itself: nothing is doubled', async () => {
    const storage = new FakeStorage()
    const opening = Promise.withResolvers<Outbox>()
    const { agent, runtime, relay } = page(storage, opening.promise, 1)
    agent.record(calls, { n: 1 })
    runtime.tell('hidden')
    runtime.tell('visible')
    agent.record(calls, { n: 2 })
    opening.resolve(durable(createMemoryOutbox({ random: () => 'device' })))
    await settle()
    await agent.flush()
    expect(relay.ids).toEqual([`${streamOf(1)}-0`, `${streamOf(1)}-1`])
    expect(storage.length).toBe(0)
  })

  test('what other code spoilt is removed, and said', async () => {
    const storage = new FakeStorage()
    storage.setItem('metertap:spill:metertap:x', '{"head":')
    const { agent } = page(storage, Promise.resolve(outboxDouble('process')), 1)
    const heard: unknown[] = []
    agent.on('trouble', (detail) => heard.push(detail))
    await settle()
    expect(heard).toMatchObject([
      { code: 'not_json', detail: expect.stringMatching(/could not be read and was removed.* Entries: 1\.$/) },
    ])
    expect(storage.length).toBe(0)
  })

  test('with nothing recorded leaves nothing', () => {
    const storage = new FakeStorage()
    const { runtime } = page(storage, new Promise(() => {}), 1)
    runtime.tell('pagehide')
    expect(storage.length).toBe(0)
  })

  test('without storage, or without room in it, goes on', () => {
    for (const storage of [undefined, new FakeStorage(10)]) {
      const { agent, runtime } = page(storage, new Promise(() => {}), 1)
      agent.record(calls, { n: 1 })
      expect(() => runtime.tell('pagehide')).not.toThrow()
    }
  })
})

describe('a page that goes while its events are being stored', () => {
  /** A page whose appends do not end until they are let. */
  async function slowPage(storage: Storage) {
    const outbox = outboxDouble('process')
    const opened = page(storage, Promise.resolve(outbox), 1)
    await settle()
    const gate = deferred()
    outbox.before = () => gate.promise
    return { ...opened, outbox, gate }
  }

  /** Over what has been stored so far. */
  const nextPage = (storage: Storage, outbox: Outbox) => visit(storage, durable(outbox))

  test.each(['hidden', 'pagehide', 'freeze'] as const)('(%s) leaves them for the next one', async (moment) => {
    const storage = new FakeStorage()
    const { agent, runtime, outbox } = await slowPage(storage)
    agent.record(calls, { n: 1 })
    await settle()
    agent.record(calls, { n: 2 })
    await settle()
    // Not even in the microtask after.
    agent.record(calls, { n: 3 })
    runtime.tell(moment)
    expect(outbox.groups).toHaveLength(3)
    expect(storage.length).toBe(1)
    const next = await nextPage(storage, outbox)
    expect(next.relay.ids).toEqual([0, 1, 2].map((seq) => `${streamOf(1)}-${seq}`))
    expect(storage.length).toBe(0)
  })

  test('and lives on, forgets them as soon as they are stored', async () => {
    const storage = new FakeStorage()
    const { agent, runtime, gate, relay } = await slowPage(storage)
    const receipt = agent.record(calls, { n: 1 })
    runtime.tell('pagehide')
    expect(storage.length).toBe(1)
    gate.resolve()
    expect(await receipt.durable).toBe('process')
    expect(storage.length).toBe(0)
    runtime.tell('pageshow')
    await agent.flush()
    expect(relay.ids).toEqual([`${streamOf(1)}-0`])
  })

  test('with nothing under way leaves nothing', async () => {
    const storage = new FakeStorage()
    const { agent, runtime, gate } = await slowPage(storage)
    gate.resolve()
    await agent.record(calls, { n: 1 }).durable
    runtime.tell('pagehide')
    expect(storage.length).toBe(0)
  })

  test('keeps what is under way still when the first of it is stored', async () => {
    const storage = new FakeStorage()
    const { agent, runtime, outbox, gate } = await slowPage(storage)
    const first = agent.record(calls, { n: 1 })
    await settle()
    outbox.before = () => new Promise(() => {})
    agent.record(calls, { n: 2 })
    runtime.tell('pagehide')
    gate.resolve()
    await first.durable
    const [text = ''] = [storage.getItem(storage.key(0) ?? '') ?? '']
    expect(JSON.parse(text).segments).toMatchObject([{ first: 1, count: 1 }])
    const next = await nextPage(storage, outbox)
    expect(next.relay.ids).toEqual([0, 1].map((seq) => `${streamOf(1)}-${seq}`))
  })

  test('does not bring back what could not be stored: its receipt has said so', async () => {
    const storage = new FakeStorage()
    const { agent, runtime, outbox } = await slowPage(storage)
    const failing = Promise.withResolvers<void>()
    outbox.before = () => failing.promise
    const lost = agent.record(calls, { n: 1 })
    runtime.tell('pagehide')
    failing.reject(new MetertapError('outbox_full', 'No room.'))
    await expect(lost.durable).rejects.toMatchObject({ code: 'outbox_full' })
    outbox.before = () => new Promise(() => {})
    await settle()
    for (let index = 0; index < storage.length; index++) {
      expect(JSON.parse(storage.getItem(storage.key(index) ?? '') ?? '').segments).toEqual([])
    }
    const next = await nextPage(storage, outbox)
    expect(next.relay.ids).toEqual([])
  })

  test('adds its open windows up to the last moment', async () => {
    const storage = new FakeStorage()
    const { agent, runtime, outbox, gate } = await slowPage(storage)
    gate.resolve()
    await agent.record(tokens, { n: 5 }).durable
    outbox.before = () => new Promise(() => {})
    agent.record(tokens, { n: 7 })
    await settle()
    agent.record(tokens, { n: 30 })
    runtime.tell('pagehide')
    const next = await nextPage(storage, outbox)
    expect(next.relay.events.get(`${streamOf(1)}-0`)).toMatchObject(['tokens', expect.any(Number), { n: 42 }])
    expect(await outbox.openRollups()).toEqual([])
    expect(await outbox.streams()).toMatchObject([{ stream: streamOf(1), recorded: 1, settled: 1 }])
  })

  test('is restored once, by whichever page, also while it lives', async () => {
    const storage = new FakeStorage()
    const { agent, runtime, outbox, gate, relay } = await slowPage(storage)
    agent.record(calls, { n: 1 })
    runtime.tell('hidden')
    const next = await nextPage(storage, outbox)
    expect(next.relay.ids).toEqual([`${streamOf(1)}-0`])
    gate.resolve()
    runtime.tell('visible')
    agent.record(calls, { n: 2 })
    await agent.flush()
    expect(new Set(relay.ids)).toEqual(new Set([`${streamOf(1)}-0`, `${streamOf(1)}-1`]))
    expect(await outbox.streams()).toMatchObject([{ recorded: 2, settled: 2 }])
    expect(storage.length).toBe(0)
  })

  test('is purged with all else by the next one, however many pages have gone', async () => {
    const storage = new FakeStorage()
    const outbox = outboxDouble('process')
    for (const stream of [1, 2, 3]) {
      const { agent, runtime } = page(storage, new Promise(() => {}), stream)
      agent.record(calls, { n: 1 })
      runtime.tell('pagehide')
    }
    const next = page(storage, Promise.resolve(durable(outbox)), 4)
    next.agent.pause('test')
    expect(await next.agent.purge()).toMatchObject({ events: 3 })
    next.agent.resume('test')
    await next.agent.flush()
    expect(next.relay.ids).toEqual([])
    expect(storage.length).toBe(0)
  })

  test('stays where it is when the outbox has no room for it', async () => {
    const storage = new FakeStorage()
    const { agent, runtime, outbox } = await slowPage(storage)
    agent.record(calls, { n: 1 })
    runtime.tell('pagehide')
    const full = () => Promise.reject(new MetertapError('outbox_full', 'No room.'))
    await nextPage(storage, { ...outbox, restore: full })
    expect(storage.length).toBe(1)
    expect((await nextPage(storage, outbox)).relay.ids).toEqual([`${streamOf(1)}-0`])
  })
})

describe('a page that goes while its outbox is full', () => {
  const full = (method: keyof Outbox) => (method === 'append' || method === 'restore' ? 'full' : 'ok')

  /** A page whose events are held in memory, over an outbox that outlives it. */
  async function fullPage(storage: Storage) {
    const home = durable(createMemoryOutbox({ random: () => 'device' }))
    const primary: FaultyOutbox = faultyOutbox({ ...home, close: async () => {} })
    const opened = page(storage, Promise.resolve(resilient(primary)), 1)
    await settle()
    primary.plan = full
    return { ...opened, primary }
  }

  function resilient(primary: Outbox): Outbox {
    return resilientOutbox({ primary, onDegraded: () => {}, onRecovered: () => {} })
  }

  const nextPage = (storage: Storage, primary: FaultyOutbox) => visit(storage, resilient(primary))

  test.each(['hidden', 'pagehide', 'freeze'] as const)('(%s) leaves what is held for the next one', async (moment) => {
    const storage = new FakeStorage()
    const { agent, runtime, relay, primary } = await fullPage(storage)
    relay.accepts = () => false
    for (let n = 0; n < 3; n++) expect(await agent.record(calls, { n }).durable).toBe('memory')
    agent.record(calls, { n: 3 })
    expect(storage.length).toBe(0)
    runtime.tell(moment)
    await settle()
    expect(storage.length).toBe(1)
    primary.plan = () => 'ok'
    const next = await nextPage(storage, primary)
    expect(next.relay.ids).toEqual([0, 1, 2, 3].map((seq) => `${streamOf(1)}-${seq}`))
    expect(storage.length).toBe(0)
    expect(await next.agent.streams()).toMatchObject([{ stream: streamOf(1), recorded: 4, settled: 4 }])
  })

  test('of what was sent from memory leaves the news alone: it is not sent again, and the counts are right', async () => {
    const storage = new FakeStorage()
    const { agent, runtime, relay, primary } = await fullPage(storage)
    relay.rejects = (event) => {
      const [, , { n }] = event as [string, number, { n: number }]
      return n === 1 ? { code: 'too_old', detail: 'No.' } : undefined
    }
    for (let n = 0; n < 3; n++) agent.record(calls, { n })
    await settle()
    await agent.flush()
    expect(relay.ids).toEqual([0, 2].map((seq) => `${streamOf(1)}-${seq}`))
    agent.pause('test')
    for (let n = 3; n < 5; n++) agent.record(calls, { n })
    await settle()
    runtime.tell('pagehide')
    primary.plan = () => 'ok'
    const next = await nextPage(storage, primary)
    expect(next.relay.ids).toEqual([3, 4].map((seq) => `${streamOf(1)}-${seq}`))
    expect(await next.agent.streams()).toMatchObject([{ recorded: 5, settled: 4, dead: 1 }])
    expect(await next.agent.deadLetters()).toMatchObject([{ stream: streamOf(1), seq: 1, code: 'too_old' }])
  })

  test('leaves what could not be stored though a later group was', async () => {
    const storage = new FakeStorage()
    const { agent, runtime, primary } = await fullPage(storage)
    agent.pause('test')
    primary.plan = () => 'ok'
    const failing = Promise.withResolvers<never>()
    const { append } = primary
    primary.append = () => failing.promise
    agent.record(calls, { n: 0 })
    await settle()
    primary.append = append
    await agent.record(calls, { n: 1 }).durable
    failing.reject(new MetertapError('outbox_full', 'No room.'))
    await settle()
    runtime.tell('pagehide')
    expect(storage.length).toBe(1)
    const next = await nextPage(storage, primary)
    expect(next.relay.ids).toEqual([0, 1].map((seq) => `${streamOf(1)}-${seq}`))
    expect(await next.agent.streams()).toMatchObject([{ recorded: 2, settled: 2 }])
  })

  test('leaves its sums', async () => {
    const storage = new FakeStorage()
    const { agent, runtime, primary } = await fullPage(storage)
    agent.record(tokens, { n: 5 })
    await settle()
    agent.record(tokens, { n: 7 })
    runtime.tell('pagehide')
    await settle()
    primary.plan = () => 'ok'
    const next = await nextPage(storage, primary)
    expect(next.relay.events.get(`${streamOf(1)}-0`)).toMatchObject(['tokens', expect.any(Number), { n: 12 }])
    expect(await next.agent.streams()).toMatchObject([{ recorded: 1, settled: 1 }])
  })

  test('and comes back, takes it back: it is nobody else’s to send, and none of the site’s room', async () => {
    const storage = new FakeStorage()
    const { agent, runtime, relay, primary } = await fullPage(storage)
    agent.record(calls, { n: 1 })
    await settle()
    runtime.tell('hidden')
    expect(storage.length).toBe(1)
    runtime.tell('visible')
    expect(storage.length).toBe(0)
    primary.plan = () => 'ok'
    await agent.flush()
    expect(relay.ids).toEqual([`${streamOf(1)}-0`])
  })

  test('and lives on, forgets it as soon as it is stored', async () => {
    const storage = new FakeStorage()
    const { agent, runtime, primary } = await fullPage(storage)
    agent.pause('test')
    agent.record(calls, { n: 1 })
    await settle()
    runtime.tell('hidden')
    expect(storage.length).toBe(1)
    primary.plan = () => 'ok'
    await agent.record(calls, { n: 2 }).durable
    expect(storage.length).toBe(0)
  })

  test('and purges, leaves nothing but the count', async () => {
    const storage = new FakeStorage()
    const { agent, runtime, primary } = await fullPage(storage)
    agent.pause('test')
    agent.record(calls, { n: 1 })
    await settle()
    runtime.tell('hidden')
    expect(await agent.purge()).toMatchObject({ events: 1 })
    primary.plan = () => 'ok'
    const next = await nextPage(storage, primary)
    expect(next.relay.ids).toEqual([])
    expect(next.relay.dropped.get(streamOf(1))).toEqual({ purged: 1 })
  })

  test('stays where it is while the outbox of the next one is full, too', async () => {
    const storage = new FakeStorage()
    const { agent, runtime, relay, primary } = await fullPage(storage)
    relay.accepts = () => false
    agent.record(calls, { n: 1 })
    await settle()
    runtime.tell('pagehide')
    await nextPage(storage, primary)
    expect(storage.length).toBe(1)
    primary.plan = () => 'ok'
    expect((await nextPage(storage, primary)).relay.ids).toEqual([`${streamOf(1)}-0`])
  })

  test('leaves no more than 2 MiB of it: the site has use for the room', async () => {
    const storage = new FakeStorage()
    const { agent, runtime } = await fullPage(storage)
    agent.pause('test')
    const notes = (count: number) => {
      for (let n = 0; n < count; n++) agent.record(texts, { text: 'x'.repeat(50_000) })
    }
    notes(40)
    await settle()
    runtime.tell('hidden')
    expect(storage.length).toBe(1)
    runtime.tell('visible')
    notes(5)
    await settle()
    runtime.tell('hidden')
    expect(storage.length).toBe(0)
  })
})

describe('spill', () => {
  test('stays where it is while the outbox is memory only', async () => {
    const storage = new FakeStorage()
    const spill = new Spill(storage, 'metertap')
    const head = { stream: streamOf(1), accountTag: '', openedAtMs: 1, recorded: 0, bytes: 0, refused: {} }
    spill.keep({ head, segments: [], strict: false })
    expect(storage.length).toBe(1)
    expect(await restoreSpill(storage, 'metertap', createMemoryOutbox({ random: () => 'd' }))).toEqual({ events: 0 })
    expect(storage.length).toBe(1)
  })

  test('what is no group is thrown away, and of another outbox left alone', async () => {
    const storage = new FakeStorage()
    storage.setItem('metertap:spill:metertap:x', '{"head":')
    storage.setItem('metertap:spill:metertap:y', '{"head":{"stream":"z","recorded":1},"segments":[]}')
    storage.setItem('metertap:spill:other:x', '{}')
    const outbox = outboxDouble('process')
    const { events, trouble } = await restoreSpill(storage, 'metertap', outbox)
    expect({ events, code: trouble?.code }).toEqual({ events: 0, code: 'not_json' })
    expect(trouble?.detail).toMatch(/ 2\.$/)
    expect(outbox.groups).toEqual([])
    expect(storage.length).toBe(1)
  })
})
