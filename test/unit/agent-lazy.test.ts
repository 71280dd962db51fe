import 'fake-indexeddb/auto'
import { beforeEach, describe, expect, test } from 'vitest'
import * as z from 'zod'
import type { AgentOptions } from '../../src/agent/options.ts'
import * as secondPiece from '../../src/agent/second-piece.ts'
import { Sender, type SenderOptions } from '../../src/agent/sender.ts'
import { startLazily } from '../../src/agent/start-lazily.ts'
import * as thirdPiece from '../../src/agent/third-piece.ts'
import { defineMeter } from '../../src/meter/define-meter.ts'
import { openIdbOutbox } from '../../src/outbox/idb/open.ts'
import { streamOf } from '../support/agent-world.ts'
import { failure, fakeClock, settle } from '../support/fake-clock.ts'
import { fakeRuntime } from '../support/fake-runtime.ts'
import { fillStorage } from '../support/full-storage.ts'
import { TinyRelay } from '../support/tiny-relay.ts'

const calls = defineMeter('calls', z.object({ n: z.number() }))
const sums = defineMeter('sums', z.object({ n: z.number(), at: z.string(), note: z.optional(z.string()) }), {
  aggregate: { windowMs: 60_000, sum: ['n'], by: ['at'] },
})

/** A page whose agent can get its second piece as long as `served`. */
function openPage(factory: IDBFactory, served: boolean, options: Partial<AgentOptions> = {}) {
  const clock = fakeClock()
  const relay = new TinyRelay()
  let streams = Math.floor(Math.random() * 1e9)
  const runtime = { ...fakeRuntime({ clock, fetch: relay.fetch, newStreamId: () => streamOf(streams++) }) }
  runtime.indexedDB = factory
  const page = { served, loads: 0, servesThird: true, thirdLoads: 0 }
  const second = async () => {
    page.loads++
    if (!page.served) throw new TypeError('Failed to fetch dynamically imported module')
    // Without a compressor: nothing then takes longer than promises do.
    return { ...secondPiece, createSender: (given: SenderOptions) => new Sender(given) }
  }
  const third = async () => {
    page.thirdLoads++
    if (!page.served || !page.servesThird) throw new TypeError('Failed to fetch dynamically imported module')
    return thirdPiece
  }
  const given = { relay: 'https://relay.test', token: () => 'token', meters: [calls], ...options }
  const agent = startLazily(given, runtime, { second, third })
  const heard: { event: string; detail: unknown }[] = []
  for (const event of ['paused', 'trouble', 'degraded', 'recovered'] as const) {
    agent.on(event, (detail: object) => void heard.push({ event, detail: { ...detail } }))
  }
  return Object.assign(page, { agent, runtime, relay, clock, heard })
}

async function stored(factory: IDBFactory): Promise<number> {
  const outbox = await openIdbOutbox({ indexedDB: factory, random: () => 'd', clock: Date.now })
  const { events } = await outbox.totals()
  await outbox.close()
  return events
}

describe('an agent whose second piece is fetched later', () => {
  let factory: IDBFactory

  const open = (served: boolean, options?: Partial<AgentOptions>) => openPage(factory, served, options)
  const withSums = { meters: [calls, sums] }

  beforeEach(() => {
    factory = new IDBFactory()
  })

  test('fetches it for the first event, and soon after the start without one', async () => {
    const first = open(true)
    await settle()
    expect(first.loads).toBe(0)
    first.agent.record(calls, { n: 1 })
    await settle()
    expect(first.loads).toBe(1)
    const idle = open(true)
    await settle()
    expect(idle.loads).toBe(0)
    await idle.clock.advance(1_000)
    expect(idle.loads).toBe(1)
  })

  test('stores and says so while it cannot be had; then sends, by itself', async () => {
    const page = open(false)
    const receipts = [1, 2, 3].map((n) => page.agent.record(calls, { n }))
    expect(await Promise.all(receipts.map(({ durable }) => durable))).toEqual(['process', 'process', 'process'])
    await page.clock.advance(10_000)
    expect(page.loads).toBeGreaterThan(2)
    expect(await stored(factory)).toBe(3)
    const { waiting, recorded, lastTrouble, sender } = page.agent.stats()
    expect({ waiting, recorded, code: lastTrouble?.code, sender }).toEqual({
      waiting: 3,
      recorded: 3,
      code: 'not_loaded',
      sender: false,
    })
    page.served = true
    await page.clock.advance(70_000)
    expect(page.relay.ids).toEqual(receipts.map(({ id }) => id))
    expect(page.agent.stats()).toMatchObject({ waiting: 0, accepted: 3, sender: true })
  })

  test('the network’s return hurries the next try', async () => {
    const page = open(false)
    page.agent.record(calls, { n: 1 })
    await page.clock.advance(120_000)
    page.served = true
    page.runtime.tell('online')
    await settle()
    await page.agent.flush()
    expect(page.relay.ids).toHaveLength(1)
  })

  test('a page that goes before it came leaves its events to the next one', async () => {
    const page = open(false, withSums)
    page.agent.record(calls, { n: 1 })
    await settle()
    page.agent.record(sums, { n: 2, at: 'a' })
    page.runtime.tell('hidden')
    page.runtime.tell('pagehide')
    await settle()
    const next = open(true, withSums)
    await next.clock.advance(1_000)
    await next.agent.flush()
    expect(next.relay.ids).toHaveLength(2)
  })

  test('a page that sleeps does not become the sender; it does when it is used again', async () => {
    const page = open(false)
    page.agent.record(calls, { n: 1 })
    await settle()
    page.runtime.tell('pagehide')
    page.served = true
    await page.clock.advance(120_000)
    expect(page.agent.stats().sender).toBe(false)
    page.runtime.tell('pageshow')
    await settle()
    expect(page.agent.stats().sender).toBe(true)
  })

  test('flush() does not wait for what cannot be had', async () => {
    const page = open(false)
    page.agent.record(calls, { n: 1 })
    await page.agent.flush()
    expect(page.relay.requests).toEqual([])
    page.served = true
    await page.agent.flush()
  })

  test('a pause before holds after, and is told once', async () => {
    const page = open(true)
    page.agent.pause('consent')
    expect(page.agent.stats().pausedBy).toEqual(['consent'])
    page.agent.record(calls, { n: 1 })
    await page.clock.advance(20_000)
    expect(page.loads).toBe(1)
    expect(page.relay.requests).toEqual([])
    expect(page.heard).toEqual([{ event: 'paused', detail: { reasons: ['consent'] } }])
    page.agent.resume('consent')
    await page.clock.advance(20_000)
    expect(page.relay.ids).toHaveLength(1)
  })

  test('what it alone can do rejects with not_loaded, and works later', async () => {
    const page = open(false)
    page.agent.record(calls, { n: 1 })
    await settle()
    for (const ask of [() => page.agent.streams(), () => page.agent.deadLetters(), () => page.agent.purge()]) {
      expect(await failure(ask)).toMatchObject({ code: 'not_loaded' })
    }
    page.served = true
    expect(await page.agent.streams()).toHaveLength(1)
    expect(await page.agent.purge()).toMatchObject({ events: 1 })
    expect(await stored(factory)).toBe(0)
  })

  test('before it comes each event of a meter that adds up is a window of its own, and holds no other fields', async () => {
    const page = open(false, withSums)
    page.agent.record(sums, { n: 1, at: 'a', note: 'x' })
    page.agent.record(sums, { n: 2, at: 'a' })
    expect(page.agent.record(sums, { n: Number.NaN, at: 'a' }).error?.code).toBe('invalid_data')
    await settle()
    page.served = true
    await page.clock.advance(120_000)
    const last = [page.agent.record(sums, { n: 3, at: 'a' }), page.agent.record(sums, { n: 4, at: 'a' })]
    expect(last[0]?.id).toBe(last[1]?.id)
    await page.clock.advance(120_000)
    const events = [...page.relay.events.values()] as [string, number, unknown][]
    expect(events.map(([, , data]) => data)).toEqual([
      { n: 1, at: 'a' },
      { n: 2, at: 'a' },
      { n: 7, at: 'a' },
    ])
    expect(events.map(([, at]) => at % 60_000)).toEqual([0, 0, 0])
  })

  test('what cannot be stored waits for it, and is held then', async () => {
    const page = open(false)
    await page.clock.advance(1)
    const giveRoom = fillStorage()
    const receipt = page.agent.record(calls, { n: 1 })
    try {
      await page.clock.advance(5_000)
      page.served = true
      await page.clock.advance(70_000)
      expect(await receipt.durable).toBe('memory')
      expect(page.heard).toContainEqual({ event: 'degraded', detail: expect.objectContaining({ code: 'outbox_full' }) })
    } finally {
      giveRoom()
    }
    await page.agent.flush()
    await settle()
    expect(page.relay.ids).toEqual([receipt.id])
  })

  test('close() ends the tries, and leaves the events in the outbox', async () => {
    const page = open(false)
    page.agent.record(calls, { n: 1 })
    await page.clock.advance(3_000)
    const closed = page.agent.close()
    await page.clock.advance(6_000)
    await closed
    const { loads } = page
    await page.clock.advance(600_000)
    expect(page.loads).toBe(loads)
    expect(page.clock.pendingMs).toEqual([])
    expect(await stored(factory)).toBe(1)
  })

  test('sends without the third piece; fetches it when asked for what it holds, or by and by', async () => {
    const page = open(true)
    page.agent.record(calls, { n: 1 })
    await page.agent.flush()
    expect(page.relay.ids).toHaveLength(1)
    await page.clock.advance(20_000)
    expect({ loads: page.loads, third: page.thirdLoads }).toEqual({ loads: 1, third: 0 })
    expect(await page.agent.deadLetters()).toEqual([])
    expect(page.thirdLoads).toBe(1)
    const idle = open(true)
    await idle.clock.advance(60_000)
    expect(idle.thirdLoads).toBe(1)
  })

  test('what cannot be stored is tried until the third piece is there to hold it', async () => {
    const page = open(true)
    page.servesThird = false
    await page.clock.advance(1_000)
    const giveRoom = fillStorage()
    const receipt = page.agent.record(calls, { n: 1 })
    try {
      await page.clock.advance(10_000)
      expect(page.agent.stats()).toMatchObject({ storing: 1, lastTrouble: { code: 'not_loaded' } })
      page.servesThird = true
      page.runtime.tell('online')
      await settle()
      expect(await receipt.durable).toBe('memory')
      await page.agent.flush()
      expect(page.relay.ids).toEqual([receipt.id])
    } finally {
      giveRoom()
    }
  })

  test('a damaged row keeps nobody waiting, and is set aside once the third piece is there', async () => {
    const page = open(true)
    page.servesThird = false
    await page.clock.advance(1)
    const { put } = IDBObjectStore.prototype
    IDBObjectStore.prototype.put = function (row: unknown, ...key: []) {
      const isFirst = (row as { count?: number; first?: number }).count === 1 && (row as { first: number }).first === 0
      return put.call(this, isFirst ? { ...(row as object), body: '{' } : row, ...key)
    }
    page.agent.record(calls, { n: 1 })
    await settle()
    IDBObjectStore.prototype.put = put
    const sound = page.agent.record(calls, { n: 2 })
    await page.agent.flush()
    expect(page.relay.ids).toEqual([sound.id])
    page.servesThird = true
    await page.agent.streams()
    await page.agent.flush()
    await page.clock.advance(10_000)
    await page.agent.close()
    const outbox = await openIdbOutbox({ indexedDB: factory, random: () => 'd', clock: Date.now })
    expect(await outbox.quarantined()).toMatchObject([{ reason: 'not_json' }])
    await outbox.close()
  })
})
