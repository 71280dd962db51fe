import { createExecutionContext, env, waitOnExecutionContext } from 'cloudflare:test'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { forgetDesks } from '../../src/agent/worker/isolate.ts'
import { createAgent, type OutboxNamespace } from '../../src/worker.ts'
import { bench } from './support/bench.ts'
import { arrived, calls, expected, idOf, openSite, recordCalls, type Site, STRAIGHT, sums } from './support/site.ts'

let site: Site

beforeEach(() => {
  bench.reset()
  forgetDesks()
  site = openSite()
})
afterEach(() => expect(bench.relay.conflicts).toEqual([]))

/** Objects of which the first calls fail; then they are the site's. */
function failing(errors: unknown[]): OutboxNamespace & { calls: number } {
  const { namespace } = site
  const broken = {
    calls: 0,
    idFromName: namespace.idFromName,
    get(id: never) {
      broken.calls++
      const error = errors.shift()
      return error === undefined ? namespace.get(id) : { append: () => Promise.reject(error) }
    },
  }
  return broken
}

const always = (error: unknown) => Array.from({ length: 100 }, () => error)
const gone = () => Object.assign(new Error('The object was moved.'), { retryable: true })

describe('an agent of one request', () => {
  test('says power once the object has it, and asks for nothing else', async () => {
    const objects = failing([])
    await site.serve(
      async (usage) => {
        const receipts = [1, 2, 3].map((n) => usage.record(calls, { n }))
        expect(await Promise.all(receipts.map(({ durable }) => durable))).toEqual(['power', 'power', 'power'])
        expect(usage.stats()).toMatchObject({ recorded: 3, waiting: 3, durability: 'power' })
      },
      { outbox: objects },
    )
    expect(objects.calls).toBe(1)
    expect(bench.relay.requests).toHaveLength(0)
  })

  test('that records nothing makes no call and leaves nothing', async () => {
    const objects = failing([])
    await site.serve(() => {}, { outbox: objects })
    expect(objects.calls).toBe(0)
  })

  test('stores what is recorded in the last moment of the handler, and after it', async () => {
    const { usage, over } = site.begin()
    const ids = recordCalls(usage, 1)
    await over()
    const ctx = createExecutionContext()
    const late = createAgent({}, ctx, { account: site.accountOf(), meters: [calls], shards: 1, outbox: site.namespace })
    ctx.waitUntil(new Promise((resolve) => setTimeout(resolve, 20)).then(() => ids.push(...recordCalls(late, 1, 1))))
    await waitOnExecutionContext(ctx)
    await site.ring()
    expect(arrived()).toEqual(expected(ids))
  })

  test('shares its isolate’s stream with the others: numbers never clash, heads agree', async () => {
    const requests = Array.from({ length: 8 }, () => site.begin())
    const ids: string[] = []
    for (let round = 0; round < 5; round++) {
      for (const { usage } of requests) {
        ids.push(...recordCalls(usage, 1, ids.length))
        if (round % 2 === 0) await Promise.resolve()
      }
    }
    await Promise.all(requests.map(({ over }) => over()))
    expect(new Set(ids).size).toBe(40)
    expect(new Set(ids.map((id) => id.slice(0, 36))).size).toBe(1)
    await site.serve(async (usage) => {
      expect(await usage.streams()).toMatchObject([{ recorded: 40, settled: 0 }])
    })
    expect(await site.status()).toMatchObject({ events: 40 })
    await site.ring()
    expect(arrived()).toEqual(expected(ids))
    expect([...bench.relay.recorded.values()]).toEqual([40])
    expect(await site.status()).toMatchObject({ events: 0 })
  })

  test('adds up what its meter says within one burst', async () => {
    await site.serve(async (usage) => {
      const burst = [1, 2, 3].map((n) => idOf(usage.record(sums, { n })))
      expect(new Set(burst).size).toBe(1)
      await usage.record(calls, { n: 0 }).durable
      expect(idOf(usage.record(sums, { n: 10 }))).not.toBe(burst[0])
    })
    await site.ring()
    const amounts = [...bench.relay.events.values()].map((event) => (event as [string, number, { n: number }])[2].n)
    expect(amounts.sort((a, b) => a - b)).toEqual([0, 6, 10])
    expect(await site.status()).toMatchObject({ events: 0 })
  })

  test('tells the relay of refused records', async () => {
    await site.serve((usage) => {
      expect(usage.record(calls, { n: 'x' } as never).error?.code).toBe('invalid_data')
    })
    await site.ring()
    expect([...bench.relay.reports.values()]).toMatchObject([{ recorded: 0, refused: { invalid_data: 1 } }])
  })

  test('works in a Durable Object, a schedule and a queue: whatever has waitUntil', async () => {
    const waiting: Promise<unknown>[] = []
    const ctx = { waitUntil: (promise: Promise<unknown>) => void waiting.push(promise) }
    const usage = createAgent({}, ctx, {
      account: site.accountOf(),
      meters: [calls],
      shards: 1,
      outbox: site.namespace,
    })
    recordCalls(usage, 1)
    await vi.waitFor(() => expect(waiting.length).toBeGreaterThan(0), { timeout: 30_000 })
    await Promise.all(waiting)
    expect(await site.status()).toMatchObject({ events: 1 })
  })
})

describe('an object that cannot be had', () => {
  test('for a moment is asked again: nobody notices', async () => {
    const objects = failing([gone(), gone()])
    const ids = await site.serve(
      async (usage) => {
        const receipt = usage.record(calls, { n: 0 })
        expect(await receipt.durable).toBe('power')
        return [idOf(receipt)]
      },
      { outbox: objects },
    )
    await site.ring()
    expect(arrived()).toEqual(expected(ids))
    expect(objects.calls).toBe(3)
  })

  test('whose answer was lost has the events once', async () => {
    let lost = 2
    const outbox: OutboxNamespace = {
      idFromName: site.namespace.idFromName,
      get: (id) => ({
        append: async (request: never) => {
          const reply = await (site.namespace.get(id) as { append(request: never): Promise<unknown> }).append(request)
          if (lost-- > 0) throw gone()
          return reply
        },
      }),
    }
    const ids = await site.serve((usage) => recordCalls(usage, 4), { outbox })
    expect(await site.status()).toMatchObject({ events: 4 })
    await site.ring()
    expect(arrived()).toEqual(expected(ids))
    expect(await site.status()).toMatchObject({ events: 0 })
  })

  test('for longer: receipts say memory, events go straight, and the object hears of it later', async () => {
    const heard: string[] = []
    const ids = await site.serve(
      async (usage) => {
        usage.on('degraded', ({ code }) => heard.push(code))
        const receipts = [0, 1].map((n) => usage.record(calls, { n }))
        expect(await receipts[0]?.durable).toBe('memory')
        return receipts.map(idOf)
      },
      { ...STRAIGHT, outbox: failing(always(gone())) },
    )
    expect(heard).toEqual(['outbox_unavailable'])
    expect(arrived()).toEqual(expected(ids))
    // The next request of the isolate finds the object again.
    const more = await site.serve((usage) => recordCalls(usage, 1, 2), STRAIGHT)
    await site.serve(async (usage) => {
      expect(await usage.streams()).toMatchObject([{ recorded: 3, settled: 2 }])
    }, STRAIGHT)
    await site.ring()
    expect(arrived()).toEqual(expected([...ids, ...more]))
    expect(await site.status()).toMatchObject({ events: 0, dueAtMs: undefined })
  })

  test.each([
    ['of another class', () => env.STOREROOM, 'Bind USAGE_OUTBOX to the class UsageOutbox of metertap/worker'],
    ['of a class without SQLite', () => env.PLAIN_OUTBOX, 'change `new_classes` to `new_sqlite_classes`'],
  ])('since it is %s: what to do is said, and events go straight', async (_, outbox, fix) => {
    const heard: string[] = []
    const ids = await site.serve(
      (usage) => {
        usage.on('degraded', ({ detail }) => heard.push(detail))
        return recordCalls(usage, 2)
      },
      { ...STRAIGHT, outbox: outbox() as unknown as OutboxNamespace },
    )
    expect(heard).toEqual([expect.stringContaining(fix)])
    expect(arrived()).toEqual(expected(ids))
  })

  test('nor the relay: the isolate keeps them for its next request', async () => {
    bench.fetch = async () => new Response('', { status: 503, headers: { 'retry-after': '60' } })
    const ids = await site.serve((usage) => recordCalls(usage, 2), { ...STRAIGHT, outbox: failing(always(gone())) })
    expect(bench.relay.events.size).toBe(0)
    bench.fetch = bench.relay.fetch
    ids.push(...(await site.serve((usage) => recordCalls(usage, 1, 2), STRAIGHT)))
    expect(await site.status()).toMatchObject({ events: 3 })
    await site.ring()
    expect(arrived()).toEqual(expected(ids))
    expect(await site.status()).toMatchObject({ events: 0 })
  })

  test('what the relay rejects is left to the object to bury', async () => {
    bench.relay.rejects = () => ({ code: 'bad_data', detail: 'No.' })
    await site.serve((usage) => recordCalls(usage, 1), { ...STRAIGHT, outbox: failing(always(gone())) })
    bench.relay.rejects = () => undefined
    await site.serve((usage) => recordCalls(usage, 1, 1), STRAIGHT)
    expect(await site.status()).toMatchObject({ events: 2 })
    await site.ring()
    expect(Object.values(arrived()).sort()).toEqual([0, 1])
  })

  test('sends nothing straight of an account that was paused', async () => {
    await site.serve((usage) => usage.pause('consent'))
    await site.serve((usage) => recordCalls(usage, 1), STRAIGHT)
    const ids = await site.serve((usage) => recordCalls(usage, 1), { ...STRAIGHT, outbox: failing(always(gone())) })
    expect(ids).toHaveLength(1)
    expect(bench.relay.requests).toHaveLength(0)
    await site.serve((usage) => usage.resume('consent'), STRAIGHT)
    await site.serve((usage) => recordCalls(usage, 1), STRAIGHT)
    await site.ring()
    expect(bench.relay.events.size).toBe(3)
  })

  test('because it is overloaded is not asked again', async () => {
    const overloaded = Object.assign(new Error('Too many requests.'), { overloaded: true })
    const objects = failing(always(overloaded))
    const ids = await site.serve((usage) => recordCalls(usage, 1), { ...STRAIGHT, outbox: objects })
    expect(objects.calls).toBe(1)
    expect(arrived()).toEqual(expected(ids))
  })

  test('and no way to the relay here: the events wait for the next request', async () => {
    const ids = await site.serve((usage) => recordCalls(usage, 2), { outbox: failing(always(gone())) })
    ids.push(...(await site.serve((usage) => recordCalls(usage, 1, 2))))
    await site.ring()
    expect(arrived()).toEqual(expected(ids))
  })
})

describe('a request that ends too early', () => {
  afterEach(() => vi.useRealTimers())

  test('while its call is under way: the isolate’s next one takes care of its events', async () => {
    const outbox: OutboxNamespace = {
      idFromName: site.namespace.idFromName,
      get: () => ({ append: () => new Promise(() => {}) }),
    }
    const cutOff = site.begin({ outbox })
    const ids = recordCalls(cutOff.usage, 2)
    await vi.waitFor(() => expect(cutOff.usage.stats().storing).toBe(2), { timeout: 30_000 })
    ids.push(...(await site.serve((usage) => recordCalls(usage, 1, 2))))
    expect(await site.status()).toMatchObject({ events: 3 })
    await site.ring()
    expect(bench.relay.events.size, 'it may be alive').toBe(1)
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 25_000 })
    ids.push(...(await site.serve((usage) => recordCalls(usage, 1, 3))))
    await site.ring()
    expect(arrived()).toEqual(expected(ids))
    expect(await site.status()).toMatchObject({ events: 0 })
  })
})

describe('many objects', () => {
  test('share the isolates of a busy account, and answer as one', async () => {
    const ids: string[] = []
    const places = { shards: 4, spread: 2 }
    for (let isolate = 0; isolate < 8; isolate++) {
      forgetDesks()
      ids.push(...(await site.serve((usage) => recordCalls(usage, 1, isolate), places)))
    }
    await site.serve(async (usage) => {
      expect(await usage.streams()).toHaveLength(8)
      await usage.flush()
      expect(arrived()).toEqual(expected(ids))
      expect(await usage.streams()).toMatchObject(ids.map(() => ({ recorded: 1, settled: 1 })))
    }, places)
    const devices = new Set(bench.relay.requests.map(({ batch }) => batch.device))
    expect(devices.size).toBe(2)
  })
})

describe('a relay that is a Worker of the same account', () => {
  test('is reached by the service binding USAGE_RELAY', async () => {
    const ctx = createExecutionContext()
    const bound = { METERTAP_RELAY: 'https://relay.test', USAGE_RELAY: { fetch: STRAIGHT.fetch } }
    const token = async (account: string) => bench.tokenOf(account)
    const usage = createAgent(bound, ctx, { account: site.accountOf(), meters: [calls], token })
    const ids = recordCalls(usage, 1)
    await null
    await waitOnExecutionContext(ctx)
    expect(arrived()).toEqual(expected(ids))
  })
})

describe('bindings that are missing or wrong', () => {
  const SECRET = 's'.repeat(32)
  const whole = { METERTAP_RELAY: 'https://usage.acme.com', METERTAP_GRANT_KEY_ID: 'k', METERTAP_GRANT_SECRET: SECRET }
  const ctx = () => createExecutionContext()
  const options = { account: 'acme', meters: [calls] }

  test.each([
    ['METERTAP_RELAY', { ...whole, METERTAP_RELAY: undefined }, 'is missing'],
    ['METERTAP_RELAY', { ...whole, METERTAP_RELAY: 'usage.acme.com' }, 'is no address'],
    ['METERTAP_RELAY', { ...whole, METERTAP_RELAY: 'https://u:p@usage.acme.com' }, 'holds a user name'],
    ['METERTAP_GRANT_KEY_ID', { ...whole, METERTAP_GRANT_KEY_ID: '' }, 'is missing'],
    [
      'METERTAP_GRANT_SECRET',
      { ...whole, METERTAP_GRANT_SECRET: undefined },
      'wrangler secret put METERTAP_GRANT_SECRET',
    ],
    ['METERTAP_GRANT_SECRET', { ...whole, METERTAP_GRANT_SECRET: 'short-secret' }, 'shorter than 32 bytes'],
    ['METERTAP_GRANT_SECRET', { ...whole, METERTAP_GRANT_SECRET: { get() {} } }, 'is no text'],
    ['USAGE_OUTBOX', { ...whole, USAGE_OUTBOX: 'metertap' }, 'is no Durable Object namespace'],
  ])('%s is named, and what to do: %#', (binding, given, words) => {
    let error: unknown
    try {
      createAgent(given, ctx(), options)
    } catch (thrown) {
      error = thrown
    }
    expect(error).toMatchObject({ name: 'MetertapError', code: 'bad_option', detail: { binding } })
    expect((error as Error).message).toContain(words)
    expect(`${(error as Error).message} ${(error as Error).stack}`).not.toContain('short-secret')
    expect(`${(error as Error).message} ${(error as Error).stack}`).not.toContain(SECRET)
  })

  test.each([
    ['account', () => createAgent(whole, ctx(), { ...options, account: '' })],
    ['env', () => createAgent(undefined as never, ctx(), options)],
    ['ctx', () => createAgent(whole, undefined as never, options)],
    ['shards', () => createAgent(whole, ctx(), { ...options, shards: 0 })],
    ['spread', () => createAgent(whole, ctx(), { ...options, spread: 17 })],
    ['meters', () => createAgent(whole, ctx(), undefined as never)],
  ])('%s as well', (word, make) => {
    expect(make).toThrow(expect.objectContaining({ name: 'MetertapError', code: 'bad_option' }))
    if (word !== 'meters') expect(make).toThrow(word)
  })

  test('are enough as they are documented', () => {
    expect(() => createAgent(whole, ctx(), options)).not.toThrow()
    expect(() => createAgent({ USAGE_OUTBOX: env.USAGE_OUTBOX }, ctx(), options)).not.toThrow()
  })

  test('in the object: events are kept, and the agent says what is missing', async () => {
    bench.settings = { relay: undefined as never }
    const heard: string[] = []
    await site.serve(async (usage) => {
      usage.on('trouble', ({ detail }) => heard.push(detail))
      expect(await usage.record(calls, { n: 1 }).durable).toBe('power')
    })
    expect(heard).toEqual([expect.stringContaining('env.METERTAP_RELAY is missing')])
    await site.ring()
    expect(await site.status()).toMatchObject({ events: 1, trouble: { code: 'bad_option' } })
  })
})
