import { describe, expect, test } from 'vitest'
import * as z from 'zod'
import { defineMeter } from '../../src/meter/define-meter.ts'
import type { ExitBatch } from '../../src/wire/contract.ts'
import { calls, streamOf, world } from '../support/agent-world.ts'
import { deferred, settle } from '../support/fake-clock.ts'
import { outboxDouble } from '../support/outbox-double.ts'

const texts = defineMeter('texts', z.object({ text: z.string() }))
const meters = [calls, texts]
const exits = (w: ReturnType<typeof world>) => w.relay.requests.filter(({ path }) => path === '/v1/exit')
const firsts = ({ segments }: Pick<ExitBatch, 'segments'>) => segments.map(({ first }) => first)

/** A page with a token in memory and so many segments of 20 KB unsent. */
async function loaded(segments: number, fetchLater?: (url: string, init: RequestInit) => unknown) {
  const w = world()
  const page = await w.open({ meters, flushBytes: 10_000_000 }, fetchLater ? { fetchLater } : {})
  page.agent.record(calls, { n: 0 })
  await page.agent.flush()
  for (let n = 0; n < segments; n++) await page.agent.record(texts, { text: 'x'.repeat(20_000) }).durable
  return { w, ...page }
}

function keeper(limit = Number.POSITIVE_INFINITY) {
  const kept: { url: string; init: RequestInit; batch: ExitBatch }[] = []
  const fetchLater = (url: string, init: RequestInit) => {
    if (kept.length >= limit) throw new DOMException('Too much.', 'QuotaExceededError')
    kept.push({ url, init, batch: JSON.parse(init.body as string) as ExitBatch })
    return { activated: false }
  }
  return { kept, fetchLater }
}

describe('last words', () => {
  test('hold 60 KiB at most, all requests under way together', async () => {
    const { w, runtime, agent } = await loaded(2)
    const hang = deferred()
    w.relay.faults.push(() => hang.promise)
    runtime.tell('hidden')
    await settle()
    expect(exits(w).map(({ batch }) => firsts(batch))).toEqual([[1, 2]])
    await agent.record(texts, { text: 'y'.repeat(20_000) }).durable
    await agent.record(texts, { text: 'y'.repeat(10_000) }).durable
    runtime.tell('hidden')
    await settle()
    expect(
      exits(w).map(({ batch }) => firsts(batch)),
      'the 20 KB do not fit any more',
    ).toEqual([[1, 2], [4]])
    hang.resolve()
    await settle()
    runtime.tell('hidden')
    await settle()
    expect(
      exits(w).map(({ batch }) => firsts(batch)),
      'an answer that was read gives its share back',
    ).toEqual([[1, 2], [4], [3]])
  })

  test('what is being stored in that moment is said when it is stored', async () => {
    const w = world()
    const outbox = outboxDouble('process')
    const { agent, runtime } = await w.open({}, { outbox })
    agent.record(calls, { n: 0 })
    await agent.flush()
    const gate = deferred()
    outbox.before = () => gate.promise
    agent.record(calls, { n: 1 })
    runtime.tell('pagehide')
    await settle()
    expect(exits(w), 'not before: a receipt may still say that it failed').toEqual([])
    gate.resolve()
    await settle()
    expect(exits(w).map(({ batch }) => firsts(batch))).toEqual([[1]])
  })

  test('but not when the page is back by then', async () => {
    const w = world()
    const outbox = outboxDouble('process')
    const { agent, runtime } = await w.open({}, { outbox })
    agent.record(calls, { n: 0 })
    await agent.flush()
    const gate = deferred()
    outbox.before = () => gate.promise
    agent.record(calls, { n: 1 })
    runtime.tell('pagehide')
    runtime.tell('pageshow')
    gate.resolve()
    await w.clock.advance(5_000)
    expect([exits(w), w.relay.events.size]).toEqual([[], 2])
  })

  test('an append that fails at the end is not said at all', async () => {
    const w = world()
    const outbox = outboxDouble('process')
    const { agent, runtime } = await w.open({}, { outbox })
    agent.record(calls, { n: 0 })
    await agent.flush()
    outbox.before = () => {
      throw new Error('disk')
    }
    agent.record(calls, { n: 1 })
    runtime.tell('pagehide')
    await settle()
    expect(exits(w)).toEqual([])
  })
})

describe('last words by fetchLater', () => {
  test('what did not fit the keepalive request is left to the browser', async () => {
    const { kept, fetchLater } = keeper()
    const { w, runtime, agent } = await loaded(4, fetchLater)
    runtime.tell('pagehide')
    await settle()
    expect(exits(w).map(({ batch }) => firsts(batch))).toEqual([[1, 2]])
    expect(kept.map(({ url, batch }) => [url, batch.token, firsts(batch)])).toEqual([
      ['https://relay.test/v1/exit', 'token-1', [3, 4]],
    ])
    expect(kept[0]?.init).toMatchObject({ method: 'POST', headers: { 'content-type': 'text/plain;charset=UTF-8' } })
    expect(Buffer.byteLength(kept[0]?.init.body as string)).toBeLessThanOrEqual(60 * 1024)
    runtime.tell('freeze')
    expect(kept, 'the same does not go this way twice').toHaveLength(1)
    runtime.tell('pageshow')
    await settle()
    await agent.flush()
    expect([w.relay.events.size, agent.stats().waiting], 'a bonus: the outbox still sends it').toEqual([5, 0])
  })

  test('nothing is left on a page that only hides', async () => {
    const { kept, fetchLater } = keeper()
    const { runtime } = await loaded(4, fetchLater)
    runtime.tell('hidden')
    await settle()
    expect(kept).toEqual([])
  })

  test('a quota that is used up keeps it for the next time', async () => {
    const { kept, fetchLater } = keeper(0)
    const { w, runtime } = await loaded(4, fetchLater)
    runtime.tell('pagehide')
    await settle()
    w.relay.faults.push('offline')
    runtime.tell('pageshow')
    await settle()
    expect(kept).toEqual([])
    runtime.tell('pagehide')
    await settle()
    expect(exits(w).map(({ batch }) => firsts(batch))).toEqual([
      [1, 2],
      [3, 4],
    ])
  })
})

describe('an event that spoils its whole request', () => {
  test.each([400, 422, 413])('is found by halving and buried (%i); the others are delivered', async (status) => {
    const w = world()
    w.relay.refuses = (text) => (text.includes('{"n":37}') ? status : undefined)
    const { agent } = await w.open()
    for (let n = 0; n < 100; n++) agent.record(calls, { n })
    await agent.flush()
    await w.clock.advance(60_000)
    const letters = await agent.deadLetters()
    expect(letters.map(({ event }) => JSON.parse(event) as unknown[])).toEqual([
      ['calls', expect.any(Number), { n: 37 }],
    ])
    expect([w.relay.events.size, agent.stats().waiting]).toEqual([99, 0])
    w.relay.refuses = () => undefined
    expect(await agent.retryDeadLetters()).toBe(1)
    await settle()
    expect([w.relay.events.has(`${streamOf(0)}-37`), agent.stats().waiting]).toEqual([true, 0])
  })

  test('a relay that refuses everything buries nothing, and gets few requests', async () => {
    const w = world()
    const { agent } = await w.open()
    w.relay.refuses = () => 400
    for (let n = 0; n < 30; n++) agent.record(calls, { n })
    await agent.flush()
    await w.clock.advance(3_600_000)
    expect([await agent.deadLetters(), agent.stats().waiting]).toEqual([[], 30])
    expect(w.relay.requests.length).toBeLessThan(60)
    w.relay.refuses = () => undefined
    await w.clock.advance(7_200_000)
    expect([w.relay.events.size, agent.stats().waiting]).toEqual([30, 0])
  })

  test('last words do not forget those that were not judged', async () => {
    const w = world()
    w.relay.refuses = (text) => (text.includes('{"n":1}') ? 400 : undefined)
    const { agent, runtime } = await w.open()
    agent.record(calls, { n: 0 })
    await agent.flush()
    for (let n = 1; n < 4; n++) await agent.record(calls, { n }).durable
    const hang = deferred()
    w.relay.faults.push(undefined, undefined, () => hang.promise)
    void agent.flush()
    await settle()
    expect(w.relay.events.size, 'the spoiler is set aside, the next request is under way').toBe(1)
    runtime.tell('pagehide')
    await settle()
    expect(exits(w).map(({ batch }) => firsts(batch))).toEqual([[2, 3]])
    hang.resolve()
  })
})
