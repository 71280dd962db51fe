import { evictDurableObject, runInDurableObject } from 'cloudflare:test'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { forgetDesks } from '../../src/agent/worker/isolate.ts'
import { UsageOwner } from '../support/usage-owner.ts'
import { bench } from './support/bench.ts'
import { arrived, calls, expected, idOf, openSite, recordCalls, type Site } from './support/site.ts'

const STREAM = '018f0000-0000-7000-8000-000000000001'
let site: Site

beforeEach(() => {
  bench.reset()
  forgetDesks()
  site = openSite()
})
afterEach(() => expect(bench.relay.conflicts).toEqual([]))

/** Every event that was recorded is settled, dropped, dead, or waits. */
async function expectEquation(waiting: number): Promise<void> {
  const reply = await site.stub().streams(site.accountOf())
  if (!reply.ok) throw new Error(reply.message)
  const left = reply.value.map(({ recorded, settled, dead, dropped }) => {
    return recorded - settled - dead - Object.values(dropped).reduce((sum, count) => sum + count, 0)
  })
  expect(left.reduce((sum, each) => sum + each, 0)).toBe(waiting)
}

describe('the alarm of a UsageOutbox', () => {
  test('tries again over a relay that fails 20 times in a row, then delivers everything once', async () => {
    const ids = await site.serve((usage) => recordCalls(usage, 5))
    bench.relay.faults.push(...([500, 'offline', 429, 503, 'lost'] as const), ...Array.from({ length: 15 }, () => 502))
    for (let failures = 1; failures <= 20; failures++) {
      expect(await site.ring(), 'the alarm is set again').toBe(true)
      // The plan outlives the object's memory.
      await evictDurableObject(site.stub())
      expect(await site.status()).toMatchObject({ failures, events: 5 })
    }
    expect(bench.relay.requests).toHaveLength(20)
    expect((await site.status()).dueAtMs).toBeGreaterThan(Date.now())
    expect(await site.ring()).toBe(true)
    expect(arrived()).toEqual(expected(ids))
    expect(await site.status()).toMatchObject({ failures: 0, events: 0, trouble: undefined })
    expect(await site.ring(), 'nothing waits, so no alarm is set').toBe(false)
    await expectEquation(0)
  })

  test('rings by itself', async () => {
    bench.settings = { flushIntervalMs: 50 }
    const ids = await site.serve((usage) => recordCalls(usage, 2))
    await vi.waitFor(() => expect(arrived()).toEqual(expected(ids)), { timeout: 30_000 })
  })

  test('says what goes wrong, to the operator and to the object’s code', async () => {
    const heard: unknown[] = []
    bench.settings = { onTrouble: (account, { code }) => heard.push([account, code]) }
    await site.serve((usage) => recordCalls(usage, 1))
    bench.relay.faults.push(503, 403)
    await site.ring()
    expect(await site.status()).toMatchObject({ trouble: { code: 'http_503' } })
    await site.ring()
    expect(heard).toEqual([
      [site.accountOf(), 'http_503'],
      [site.accountOf(), 'http_403'],
    ])
  })

  test('makes no more requests in one run than it may, and rings again at once for the rest', async () => {
    bench.settings = { maxRequests: 3, maxBatchEvents: 1 }
    await site.serve(async (usage) => {
      for (let n = 0; n < 7; n++) await usage.record(calls, { n }).durable
    })
    await site.ring()
    expect(bench.relay.requests.length).toBe(3)
    expect((await site.status()).dueAtMs).toBeLessThanOrEqual(Date.now())
    await vi.waitFor(() => expect(bench.relay.events.size).toBe(7), { timeout: 30_000 })
  })

  test('one account that fails does not hold up another', async () => {
    bench.settings = { flushIntervalMs: 1 }
    bench.fetch = async (input, init) => {
      const sick = new Headers(init?.headers ?? (input as Request).headers).get('authorization')?.includes('sick')
      return sick ? new Response('', { status: 500 }) : bench.relay.fetch(input, init)
    }
    await site.serve((usage) => recordCalls(usage, 1), { account: 'sick' })
    await site.serve((usage) => recordCalls(usage, 1), { account: 'sound' })
    await vi.waitFor(() => expect([...bench.relay.tokens.values()]).toEqual([site.tokenOf('sound')]), {
      timeout: 30_000,
    })
    expect(await site.status('sick')).toMatchObject({ events: 1 })
    expect(await site.status('sound')).toMatchObject({ events: 0, dueAtMs: undefined })
  })
})

describe('an object that ends in the middle of its work', () => {
  /** Rings, ends the object while the request is under way, and waits until the work is over. */
  async function endInFlight(): Promise<void> {
    const pass = bench.fetch
    const { length } = bench.relay.requests
    bench.fetch = async (input, init) => {
      await pass(input, init)
      // The relay has stored, and its answer never comes.
      return new Promise(() => {})
    }
    void site.ring().catch(() => {})
    await vi.waitFor(() => expect(bench.relay.requests.length).toBeGreaterThan(length), { timeout: 30_000 })
    void runInDurableObject(site.stub(), (_, state) => state.abort('The end.')).catch(() => {})
    await vi.waitFor(() => site.status(), { timeout: 30_000 })
    bench.fetch = pass
  }

  test('between claim and settle: nothing is lost and nothing doubled', async () => {
    const ids = await site.serve((usage) => recordCalls(usage, 3))
    await endInFlight()
    expect(bench.relay.requests).toHaveLength(1)
    expect(await site.status()).toMatchObject({ events: 3 })
    const more = await site.serve((usage) => recordCalls(usage, 2, 3))
    while (await site.ring());
    expect(arrived()).toEqual(expected([...ids, ...more]))
    expect(bench.relay.requests[1]?.segmentText).toContain(bench.relay.requests[0]?.segmentText.slice(12, -3))
    await expectEquation(0)
  })

  test('has its alarm set before it begins, so that it rings again', async () => {
    await site.serve((usage) => recordCalls(usage, 1))
    await endInFlight()
    expect(await site.ring()).toBe(true)
    expect(bench.relay.events.size).toBe(1)
  })
})

describe('accounts in one object', () => {
  test('never mix: every event travels under its own account’s token', async () => {
    const accounts = Array.from({ length: 40 }, (_, nth) => `account-${nth}`)
    const owners = new Map<string, string>()
    await Promise.all(
      accounts.map((account) =>
        site.serve(
          (usage) => {
            for (const id of recordCalls(usage, 3)) owners.set(id, account)
          },
          { account },
        ),
      ),
    )
    bench.relay.faults.push('lost', 500, undefined, 401, 'lost')
    for (let round = 0; round < 40 && bench.relay.events.size < 120; round++) await site.ring()
    expect(bench.relay.events.size).toBe(120)
    for (const [id, token] of bench.relay.tokens) expect(token).toBe(site.tokenOf(owners.get(id)))
    for (const { token, batch } of bench.relay.requests) {
      for (const { id } of batch.streams) expect(token).toBe(site.tokenOf(owners.get(`${id}-0`)))
    }
  })

  test('see nothing of each other', async () => {
    await site.serve((usage) => recordCalls(usage, 2), { account: 'a' })
    await site.serve(
      async (usage) => {
        recordCalls(usage, 1)
        await usage.record(calls, { n: 9 }).durable
        expect(await usage.streams()).toMatchObject([{ accountTag: site.accountOf('b'), recorded: 2 }])
        await usage.purge()
      },
      { account: 'b' },
    )
    expect(await site.status('a')).toMatchObject({ events: 2 })
    expect(await site.status('b')).toMatchObject({ events: 0 })
  })

  test('a group of one account is not taken under another', async () => {
    const group = new UsageOwner(STREAM, 'a').group(['["calls",1,{"n":1}]'])
    const reply = await site.stub().append({ account: 'b', meters: ['calls'], group, elsewhere: [] })
    expect(reply).toMatchObject({ ok: false, code: 'internal' })
  })
})

describe('calls that overtake each other', () => {
  test('an older head undoes nothing of a newer one', async () => {
    const owner = new UsageOwner(STREAM, site.accountOf())
    const first = owner.group(['["calls",1,{"n":0}]'])
    const second = owner.group(['["calls",1,{"n":1}]', '["calls",1,{"n":2}]'])
    const append = (group: typeof first) =>
      site.stub().append({ account: site.accountOf(), meters: ['calls'], group, elsewhere: [] })
    expect(await append(second)).toEqual({ ok: true, value: { durability: 'power', pausedBy: [] } })
    await append(first)
    await append(first)
    await expectEquation(3)
    await evictDurableObject(site.stub())
    await append(first)
    await expectEquation(3)
    await site.ring()
    expect(bench.relay.recorded.get(STREAM)).toBe(3)
    expect(arrived()).toEqual({ [`${STREAM}-0`]: 0, [`${STREAM}-1`]: 1, [`${STREAM}-2`]: 2 })
    await expectEquation(0)
  })
})

describe('limits of an object', () => {
  test('a full one refuses, and the relay hears how much was dropped', async () => {
    bench.settings = { maxOutboxBytes: 200 }
    const heard: unknown[] = []
    await site.serve(async (usage) => {
      usage.on('trouble', ({ code }) => heard.push(code))
      await usage.record(calls, { n: 0 }).durable
      for (let n = 1; n <= 50; n++) await usage.record(calls, { n }).durable.catch(() => {})
    })
    expect(heard).toContain('outbox_full')
    await site.ring()
    await site.serve((usage) => recordCalls(usage, 1, 99))
    await site.ring()
    const [report] = [...bench.relay.reports.values()]
    const dropped = report?.dropped.outbox_full ?? 0
    expect(dropped).toBeGreaterThan(40)
    expect(bench.relay.events.size + dropped).toBe(52)
    await expectEquation(0)
  })

  test('or gives up the oldest, where that was asked for', async () => {
    bench.settings = { maxOutboxBytes: 200, overflow: 'drop-oldest' }
    await site.serve(async (usage) => {
      for (let n = 0; n < 50; n++) await usage.record(calls, { n }).durable
    })
    await site.ring()
    const [report] = [...bench.relay.reports.values()]
    expect(bench.relay.events.size + (report?.dropped.outbox_full ?? 0)).toBe(50)
    expect(Object.values(arrived())).toContain(49)
    await expectEquation(0)
  })

  test('a call that is too large is refused with its reason', async () => {
    const group = new UsageOwner(STREAM, site.accountOf()).group([`["calls",1,"${'x'.repeat(1_600_000)}"]`])
    const reply = await site.stub().append({ account: site.accountOf(), meters: ['calls'], group, elsewhere: [] })
    expect(reply).toMatchObject({ ok: false, code: 'event_too_large' })
  })

  test('a burst larger than one call is stored and sent whole', async () => {
    const count = 60_000
    await site.serve(async (usage) => {
      recordCalls(usage, count)
      expect(await usage.record(calls, { n: count }).durable).toBe('power')
    })
    while ((await site.status()).events > 0) await site.ring()
    expect(bench.relay.events.size).toBe(count + 1)
    await expectEquation(0)
  }, 120_000)
})

describe('what the application may do', () => {
  test('flush() sends now, but cuts no Retry-After short', async () => {
    await site.serve(async (usage) => {
      recordCalls(usage, 1)
      await usage.flush()
      expect(bench.relay.events.size).toBe(1)
      expect(usage.stats()).toMatchObject({ waiting: 0, durability: 'power' })
      let refusals = 0
      bench.fetch = async () => {
        refusals++
        return new Response('', { status: 429, headers: { 'retry-after': '60' } })
      }
      recordCalls(usage, 1)
      await usage.flush()
      await usage.flush()
      expect(refusals).toBe(1)
    })
    expect((await site.status()).dueAtMs).toBeGreaterThan(Date.now() + 50_000)
  })

  test('pause() holds an account back for all requests, resume() lets it go', async () => {
    await site.serve(async (usage) => {
      recordCalls(usage, 1)
      usage.pause('consent')
      await usage.flush()
    })
    await site.serve((usage) => recordCalls(usage, 1))
    expect(await site.ring()).toBe(false)
    expect(bench.relay.requests).toHaveLength(0)
    await site.serve((usage) => usage.resume('consent'))
    await site.ring()
    expect(bench.relay.events.size).toBe(2)
  })

  test('dead letters are kept with their reasons, sent again, or forgotten', async () => {
    const buried: unknown[] = []
    bench.settings = { onDeadLetters: (account, letters) => buried.push(account, letters.length) }
    bench.relay.rejects = (event) =>
      (event as [string, number, { n: number }])[2].n === 1 ? { code: 'bad_data', detail: 'No.' } : undefined
    const ids = await site.serve((usage) => recordCalls(usage, 3))
    await site.ring()
    expect(buried).toEqual([site.accountOf(), 1])
    bench.relay.rejects = () => undefined
    await site.serve(async (usage) => {
      expect(await usage.deadLetters()).toMatchObject([{ seq: 1, code: 'bad_data' }])
      expect(await usage.retryDeadLetters()).toBe(1)
    })
    await vi.waitFor(() => expect(arrived()).toEqual(expected(ids)), { timeout: 30_000 })
    await expectEquation(0)
  })

  test('a meter that is new gets a token that names it before its events are sent', async () => {
    const asked: string[][] = []
    bench.settings = {
      token: async (account, meters) => {
        asked.push([...meters])
        return `${bench.tokenOf(account)}-${asked.length}`
      },
    }
    await site.serve((usage) => recordCalls(usage, 1), { meters: [calls] })
    await site.ring()
    await site.serve((usage) => recordCalls(usage, 1), { meters: [calls] })
    await site.ring()
    await site.serve((usage) => idOf(usage.record(calls, { n: 2 })))
    await site.ring()
    expect(asked).toEqual([['calls'], ['calls', 'sums']])
    expect([...bench.relay.tokens.values()].map((token) => token.at(-1))).toEqual(['1', '1', '2'])
  })

  test('events that the relay puts off are looked after without another event', async () => {
    const { answer } = bench.relay
    bench.relay.answer = (given) => {
      const [stream] = Object.keys(given.received as object)
      return { ...given, received: {}, retry: [{ stream, from: 0, to: 0, delayMs: 1_000 }] }
    }
    await site.serve((usage) => recordCalls(usage, 1))
    await site.ring()
    expect(await site.status()).toMatchObject({ events: 1, failures: 0 })
    bench.relay.answer = answer
    await vi.waitFor(async () => expect(await site.status()).toMatchObject({ events: 0 }), { timeout: 30_000 })
    await expectEquation(0)
  })
})
