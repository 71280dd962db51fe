import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { createForwarder } from '../../src/relay/forward/create-forwarder.ts'
import { createTokenSource, type TokenSource } from '../../src/relay/forward/token-source.ts'
import { openPostgresStore } from '../../src/relay/store/postgres/open-postgres-store.ts'
import { startZuoraStandIn } from '../../src/zuora-stand-in/server.ts'
import { event, request, streamId } from '../contract/relay-store-kit.ts'
import { callsMeter, UPSTREAM_CLIENT } from '../support/calls-upstream.ts'
import { createFakeUpstream } from '../support/fake-upstream.ts'
import { startPostgres, type TestPostgres } from '../support/postgres.ts'
import { createVirtualTime } from '../support/virtual-time.ts'

const WAIT = { timeout: 30_000, interval: 20 }
let server: TestPostgres
let schemas = 0
beforeAll(async () => {
  server = await startPostgres()
}, 60_000)
afterAll(() => server.stop())

function openStores(count: number) {
  const schema = `shared_${schemas++}`
  const stores = Array.from({ length: count }, () =>
    openPostgresStore({ url: server.url, schema, clock: Date.now, maxConnections: 4 }),
  )
  onTestFinished(async () => void (await Promise.all(stores.map((store) => store.close()))))
  return stores
}

const reasonOf = (forwarder: ReturnType<typeof createForwarder>): string | undefined =>
  forwarder.stats().find(({ lane }) => lane === 'calls')?.reason

/** Relays' forwarders on one database, and an upstream for them. */
async function openForwarders(count: number) {
  const zuora = await startZuoraStandIn({ clients: [UPSTREAM_CLIENT], meters: [callsMeter('id-calls')] })
  onTestFinished(() => zuora.close())
  const routes = [
    {
      meter: { name: 'calls', schema: {} as never, options: {} },
      upstream: { meterGlobalId: 'id-calls', fields: FIELDS },
    },
  ]
  return {
    zuora,
    relays: openStores(count).map((store, n) => {
      const forwarder = createForwarder({
        ...{ store, routes, upstream: { restBase: zuora.url, ...UPSTREAM_CLIENT }, owner: `relay ${n}`, lingerMs: 0 },
        ...{ clock: Date.now, random: () => 0.5, fetch, log: () => {} },
      })
      onTestFinished(() => forwarder.stop())
      forwarder.start()
      return {
        forwarder,
        async send(stream: number) {
          await store.accept(
            request(
              [event(0, { stream: streamId(stream), meter: 'calls', atMs: Date.now(), data: '{"quantity":1}' })],
              {
                receivedAtMs: Date.now(),
              },
            ),
          )
          forwarder.wake()
        },
      }
    }),
  }
}
const FIELDS = { UsageIdentifier: 'id', CustomerId: 'account', UsageDate: 'at', Quantity: 'data.quantity' } as const

describe('relays on one database', { timeout: 60_000 }, () => {
  test('a 429 that one of them hears holds the others too, though they have calls in hand', async () => {
    const { zuora, relays } = await openForwarders(2)
    const [one, two] = relays
    let stream = 1
    for (const relay of [one, two]) {
      await relay?.send(stream++)
      await expect.poll(() => zuora.ledger.totals('id-calls').billable, WAIT).toBe(stream - 1)
    }
    zuora.faults.set([{ kind: 'rate-limit', retryAfter: 60 }])
    await one?.send(stream++)
    await expect.poll(() => zuora.ledger.totals('id-calls').calls, WAIT).toBe(3)
    await expect.poll(() => reasonOf(one?.forwarder as never), WAIT).toBeDefined()
    await two?.send(stream++)
    await expect.poll(() => reasonOf(two?.forwarder as never), WAIT).toMatch(/calls that the upstream allows/)
    expect(zuora.ledger.totals('id-calls').calls, 'it has not run into the same').toBe(3)
  })

  test('whose token requests fail ask one for all, less and less often; and go on when there are tokens again', async () => {
    const upstream = createFakeUpstream()
    const time = createVirtualTime(Date.now())
    const asked: number[] = []
    let isDown = true
    upstream.token = () => {
      asked.push(time.clock())
      return isDown ? new Response('', { status: 503 }) : Response.json({ access_token: 'good', expires_in: 3_600 })
    }
    // How long a hold lasts goes by the database's clock, whatever the relays' own say.
    const sources: TokenSource[] = openStores(3).map((store) =>
      createTokenSource({
        ...{ restBase: 'https://rest.zuora.com', clientId: 'id', clientSecret: 's', timeoutMs: 30_000 },
        ...{ fetch: upstream.fetch, clock: time.clock, timer: time.timer, stopped: new AbortController().signal },
        turns: store.sharedCalls?.([{ name: 'token requests', capacity: 40, perMs: 40 / 60_000 }]) as never,
      }),
    )
    const askAll = () => Promise.all(sources.map((source) => source.get()))
    await sources[0]?.get()
    const held = await askAll()
    expect(asked, 'nobody else asks meanwhile').toHaveLength(1)
    for (const result of held) expect(result).toMatchObject({ kind: 'later', inDoubt: false })
    const waits = held.map((result) => ('afterMs' in result ? result.afterMs : 0))
    for (const ms of waits) expect(ms).toBeGreaterThan(0)
    for (const ms of waits) expect(ms).toBeLessThanOrEqual(1_000)
    await new Promise((resolve) => setTimeout(resolve, Math.max(...waits)))
    // The first that comes when it is over asks, and holds all back for longer.
    expect(await sources[0]?.get()).toMatchObject({ kind: 'later', afterMs: 2_000 })
    await askAll()
    expect(asked).toHaveLength(2)
    isDown = false
    await expect
      .poll(askAll, { timeout: 20_000, interval: 100 })
      .toEqual(Array(3).fill({ kind: 'token', token: 'good' }))
    expect(asked, 'one each').toHaveLength(5)
  })
})
