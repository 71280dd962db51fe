import { createExecutionContext, waitOnExecutionContext } from 'cloudflare:test'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import * as z from 'zod'
import { forgetDesks } from '../../src/agent/worker/isolate.ts'
import { defineMeter } from '../../src/worker.ts'
import { bench } from './support/bench.ts'
import { arrived, calls, expected, idOf, openSite, recordCalls, type Site, STRAIGHT } from './support/site.ts'

let site: Site
const MEMORY = { ...STRAIGHT, outbox: null }
/** Nothing that another try within the request would change. */
const later = async () => new Response('', { status: 403 })

beforeEach(() => {
  bench.reset()
  forgetDesks()
  site = openSite()
})
afterEach(() => expect(bench.relay.conflicts).toEqual([]))

describe('without a Durable Object', () => {
  test('receipts say memory, and all is sent before the request is over', async () => {
    const ids = await site.serve(async (usage) => {
      const ids = recordCalls(usage, 2)
      expect(await usage.record(calls, { n: 2 }).durable).toBe('memory')
      expect(usage.stats()).toMatchObject({ durability: 'memory', recorded: 3 })
      return [...ids, `${ids[0]?.slice(0, 36)}-2`]
    }, MEMORY)
    expect(arrived()).toEqual(expected(ids))
    expect(bench.relay.requests).toHaveLength(1)
    expect([...bench.relay.tokens.values()]).toEqual(ids.map(() => site.tokenOf()))
  })

  test('what fails is tried again while the request lasts', async () => {
    bench.relay.faults.push('offline', 500, 'lost', 401, 'offline')
    const ids = await site.serve((usage) => recordCalls(usage, 3), MEMORY)
    expect(arrived()).toEqual(expected(ids))
  })

  test('what could not be sent is taken on by the isolate’s next request, under its old ids', async () => {
    bench.fetch = later
    const ids = await site.serve((usage) => recordCalls(usage, 2), MEMORY)
    expect(bench.relay.events.size).toBe(0)
    await site.serve(async (usage) => {
      expect(await usage.streams()).toMatchObject([{ recorded: 2, settled: 0 }])
    }, MEMORY)
    bench.fetch = bench.relay.fetch
    ids.push(
      ...(await site.serve(async (usage) => {
        const more = recordCalls(usage, 1, 2)
        await usage.flush()
        return more
      }, MEMORY)),
    )
    expect(arrived()).toEqual(expected(ids))
    expect(bench.relay.requests).toHaveLength(1)
  })

  test('a relay that asks to be left alone is, by all requests of the isolate', async () => {
    let asked = 0
    bench.fetch = async () => {
      asked++
      return new Response('', { status: 503, headers: { 'retry-after': '60' } })
    }
    for (let request = 0; request < 3; request++) {
      await site.serve(async (usage) => {
        recordCalls(usage, 1)
        await usage.flush()
      }, MEMORY)
    }
    expect(asked).toBe(1)
  })

  test('flush() resolves when sending has to wait, and the request goes on trying', async () => {
    bench.relay.faults.push('offline', 'offline')
    const { usage, over } = site.begin(MEMORY)
    const ids = recordCalls(usage, 1)
    await usage.flush()
    expect(bench.relay.events.size).toBe(0)
    await over()
    expect(arrived()).toEqual(expected(ids))
  })

  test('one token serves the requests of an isolate; accounts never share one', async () => {
    const asked: string[] = []
    const options = {
      ...MEMORY,
      token: async (account: string) => {
        asked.push(account)
        return bench.tokenOf(account)
      },
    }
    for (const account of ['a', 'b', 'a', 'b', 'a'])
      await site.serve((usage) => recordCalls(usage, 1), { ...options, account })
    expect(asked).toEqual([site.accountOf('a'), site.accountOf('b')])
    expect([...bench.relay.tokens.values()].map((token) => token === site.tokenOf('a'))).toEqual([
      true,
      false,
      true,
      false,
      true,
    ])
  })

  test('requests that overlap number one stream and send each event once', async () => {
    const requests = Array.from({ length: 5 }, () => site.begin(MEMORY))
    const ids = [0, 1, 2].flatMap((round) =>
      requests.flatMap(({ usage }, nth) => recordCalls(usage, 1, round * 5 + nth)),
    )
    // The context of the tests waits for what it knows by then.
    await null
    await Promise.all(requests.map(({ over }) => over()))
    expect(arrived()).toEqual(expected(ids))
    expect([...bench.relay.recorded.values()]).toEqual([15])
    const sent = bench.relay.requests.reduce(
      (sum, { batch }) => sum + batch.segments.reduce((n, s) => n + s.events.length, 0),
      0,
    )
    expect(sent).toBe(15)
  })

  test('a relay that finds a batch too large gets it in parts', async () => {
    bench.fetch = async (input, init) => {
      const request = new Request(input, init)
      const { size } = await request.clone().blob()
      return size > 900 ? new Response('', { status: 413 }) : bench.relay.fetch(request)
    }
    const ids = await site.serve((usage) => recordCalls(usage, 200), MEMORY)
    for (let round = 0; round < 10 && bench.relay.events.size < 200; round++)
      await site.serve((usage) => usage.flush(), MEMORY)
    expect(arrived()).toEqual(expected(ids))
  })

  test('dead letters stay with the isolate, are told, and can be sent again', async () => {
    bench.relay.rejects = (event) =>
      (event as [string, number, { n: number }])[2].n === 1 ? { code: 'bad_data', detail: 'No.' } : undefined
    const heard: string[] = []
    const ids = await site.serve(async (usage) => {
      usage.on('trouble', ({ code }) => heard.push(code))
      const recorded = recordCalls(usage, 3)
      await usage.flush()
      return recorded
    }, MEMORY)
    expect(heard).toEqual(['refused_by_relay'])
    bench.relay.rejects = () => undefined
    await site.serve(async (usage) => {
      expect(await usage.streams()).toMatchObject([{ recorded: 3, settled: 2, dead: 1 }])
      expect(await usage.deadLetters()).toMatchObject([{ seq: 1, code: 'bad_data' }])
      expect(await usage.retryDeadLetters()).toBe(1)
    }, MEMORY)
    expect(arrived()).toEqual(expected(ids))
    await site.serve(async (usage) => {
      expect(await usage.streams()).toMatchObject([{ recorded: 3, settled: 3, dead: 0 }])
    }, MEMORY)
  })

  test('pause() keeps events back in the isolate; purge() erases them, and the relay hears how much', async () => {
    await site.serve((usage) => {
      usage.pause('consent')
      recordCalls(usage, 3)
    }, MEMORY)
    expect(bench.relay.requests).toHaveLength(0)
    await site.serve(async (usage) => {
      expect(await usage.purge()).toMatchObject({ events: 3 })
      usage.resume('consent')
    }, MEMORY)
    expect([...bench.relay.reports.values()]).toMatchObject([{ recorded: 3, dropped: { purged: 3 } }])
    expect(bench.relay.events.size).toBe(0)
  })

  test('an isolate holds no more than it should: then receipts say so, and the relay hears it', async () => {
    bench.fetch = later
    const notes = defineMeter('notes', z.object({ text: z.string() }))
    const options = { ...MEMORY, meters: [notes] }
    const kept: string[] = []
    let full = 0
    await site.serve(async (usage) => {
      for (let n = 0; n < 200; n++) {
        const receipt = usage.record(notes, { text: 'x'.repeat(60_000) })
        await receipt.durable.then(
          () => kept.push(idOf(receipt)),
          ({ code }) => code === 'outbox_full' && full++,
        )
      }
    }, options)
    expect(full).toBeGreaterThan(50)
    expect(kept.length + full).toBe(200)
    bench.fetch = bench.relay.fetch
    for (let round = 0; round < 10 && bench.relay.events.size < kept.length; round++) {
      await site.serve((usage) => usage.flush(), options)
    }
    expect(bench.relay.ids.sort()).toEqual(kept.sort())
    expect([...bench.relay.reports.values()]).toMatchObject([{ recorded: 200, dropped: { outbox_full: full } }])
  })

  test('refused records alone are told, too', async () => {
    await site.serve((usage) => void usage.record(calls, { n: 'x' } as never), MEMORY)
    expect([...bench.relay.reports.values()]).toMatchObject([{ recorded: 0, refused: { invalid_data: 1 } }])
    await site.serve(() => {}, MEMORY)
    expect(bench.relay.requests).toHaveLength(1)
  })

  test('close() waits for what is under way', async () => {
    const { usage, over } = site.begin(MEMORY)
    const ids = recordCalls(usage, 1)
    await usage.close()
    expect(arrived()).toEqual(expected(ids))
    await over()
    const ctx = createExecutionContext()
    await waitOnExecutionContext(ctx)
  })
})
