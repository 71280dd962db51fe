import { env, runInDurableObject } from 'cloudflare:test'
import { describe, expect, test } from 'vitest'
import type { GateFace } from '../../src/relay/edge/contract.ts'
import { type EdgeSettings, resolveEdgeSettings } from '../../src/relay/edge/edge-settings.ts'
import { createGate } from '../../src/relay/edge/gate.ts'
import { createShard, type Shard, type ShardStorage } from '../../src/relay/edge/shard.ts'
import { events, request, streamId } from '../contract/relay-store-kit.ts'

const NOW_MS = 1_700_000_200_000
const settings = resolveEdgeSettings(
  {
    publicUrl: 'https://usage.example.com',
    meters: [
      {
        meter: {
          name: 'api_calls',
          schema: { '~standard': { validate: (value: unknown) => ({ value }) } } as never,
          options: {},
        },
        upstream: { meterGlobalId: 'calls', fields: { Id: 'id', Account: 'account' } },
      },
    ],
    upstream: { restBase: 'https://rest.zuora.com', clientId: 'id', clientSecret: 'secret' },
    grants: [{ keyId: 'app', secret: 'grant-secret-of-thirty-two-bytes-or-more' }],
    origins: [],
    lingerMs: 0,
  },
  {},
)

let objects = 0

/** A shard whose time is told by the test, and which is evicted as often as the test likes. */
interface Bed {
  nowMs: number
  alarmAtMs: number | undefined
  readonly calls: { readonly trackId: string; readonly ids: string[] }[]
  /** Calls of the upstream that fail from now on. */
  failing: number
  /** Calls of the upstream are never answered. */
  isHanging: boolean
  isRefusing: boolean
  logs: string[]
  /** In place of a gate that works. */
  gate?: GateFace
  /** What a new instance of the object would be. */
  restart(more?: Partial<EdgeSettings>): Shard
  /** All rows of the object, as point-in-time recovery keeps them. */
  save(): Saved
  putBack(saved: Saved): void
}

type Saved = ReadonlyMap<string, readonly Record<string, unknown>[]>

function inside(work: (bed: Bed) => Promise<void>): Promise<void> {
  const stub = env.STOREROOM.get(env.STOREROOM.idFromName(`shard-${objects++}`))
  return runInDurableObject(stub, async (_, { storage }) => {
    const bed: Bed = {
      nowMs: NOW_MS,
      alarmAtMs: undefined,
      calls: [],
      failing: 0,
      isHanging: false,
      isRefusing: false,
      logs: [],
      restart,
      save: () => new Map(tables().map((name) => [name, storage.sql.exec(`SELECT * FROM "${name}"`).toArray()])),
      putBack(saved) {
        for (const name of tables()) storage.sql.exec(`DELETE FROM "${name}"`)
        for (const [name, rows] of saved) {
          for (const row of rows) {
            const columns = Object.keys(row).map((column) => `"${column}"`)
            const places = columns.map(() => '?')
            const insert = `INSERT INTO "${name}" (${columns.join()}) VALUES (${places.join()})`
            storage.sql.exec(insert, ...Object.values(row))
          }
        }
      },
    }
    const tables = (): string[] =>
      storage.sql
        .exec(
          "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%' AND name NOT LIKE '_cf_%'",
        )
        .toArray()
        .map(({ name }) => String(name))
    const clock = () => bed.nowMs
    let instances = 0
    const fetch = upstream(bed)
    function restart(more: Partial<EdgeSettings> = {}): Shard {
      const mine = ++instances
      // Who was evicted is gone: what is left of it in this test's memory does no more.
      const alive = <T>(value: T): T => {
        if (mine !== instances) throw new Error('This instance was evicted.')
        return value
      }
      const own: ShardStorage = {
        sql: { exec: (...call) => alive(storage).sql.exec(...call), databaseSize: storage.sql.databaseSize },
        transactionSync: (job) => alive(storage).transactionSync(job),
        transaction: (job) => alive(storage).transaction(job),
        async setAlarm(atMs) {
          alive(bed).alarmAtMs = atMs
        },
      }
      const calling = (url: string, init?: RequestInit) =>
        mine === instances ? fetch(url, init) : new Promise(() => {})
      const log = (_level: string, event: string) => void bed.logs.push(event)
      const gate = createGate({ upstream: settings.upstream, clock, fetch: calling as typeof globalThis.fetch })
      return createShard({
        ...{
          storage: own,
          settings: { ...settings, ...more },
          gate: bed.gate ?? gate,
          gatePatienceMs: 20,
          fetch: calling as typeof globalThis.fetch,
          clock,
          random: () => 0.5,
          log,
        },
        uuid: () => crypto.randomUUID(),
      })
    }
    await work(bed)
  })
}

/** An upstream that does as the bed says. */
function upstream(bed: Bed): typeof globalThis.fetch {
  return async (url, init) => {
    if (String(url).endsWith('/oauth/token')) return Response.json({ access_token: 'token', expires_in: 3_599 })
    const body = new Response(init?.body as BodyInit).body as ReadableStream<Uint8Array<ArrayBuffer>>
    const rows = (await new Response(body.pipeThrough(new DecompressionStream('gzip'))).json()) as { Id: string }[]
    const trackId = new Headers(init?.headers).get('zuora-track-id') as string
    bed.calls.push({ trackId, ids: rows.map(({ Id }) => Id) })
    if (bed.isHanging) return await new Promise(() => {})
    if (bed.isRefusing) return Response.json({ success: false, message: 'no' }, { status: 400 })
    return bed.failing-- > 0 ? new Response('', { status: 500 }) : Response.json({ success: true })
  }
}

/** Rings the alarm at its time, of an object that was evicted before, until none is set; how often it rang. */
async function ringAll(bed: Bed, atMost = 500): Promise<number> {
  let rings = 0
  for (; bed.alarmAtMs !== undefined && rings < atMost; rings++) {
    bed.nowMs = Math.max(bed.nowMs, bed.alarmAtMs)
    bed.alarmAtMs = undefined
    await bed.restart().alarm()
  }
  return rings
}

describe('a shard', () => {
  test('that is evicted before each alarm sends everything to an upstream that fails twenty times', () =>
    inside(async (bed) => {
      bed.failing = 20
      const first = bed.restart()
      await first.accept(request(events(0, 99), { receivedAtMs: NOW_MS }))
      expect(bed.alarmAtMs).toBeLessThanOrEqual(NOW_MS + 1_000)
      expect(await ringAll(bed)).toBeGreaterThan(6)
      const good = bed.calls.slice(20).flatMap(({ ids }) => ids)
      expect(bed.calls.length).toBeGreaterThan(20)
      expect(good).toHaveLength(100)
      expect(new Set(good).size).toBe(100)
      const [totals] = [await bed.restart().ask('totals', [])]
      expect(totals).toMatchObject({ received: 100, forwarded: 100 })
      // Nothing waits: the object may sleep.
      expect(bed.alarmAtMs).toBeUndefined()
    }))

  test('that is evicted in the middle of a call sends the same delivery again, with its next alarm', () =>
    inside(async (bed) => {
      bed.isHanging = true
      await bed.restart().accept(request(events(0, 9), { receivedAtMs: NOW_MS }))
      while (bed.calls.length === 0) await new Promise((resolve) => setTimeout(resolve, 5))
      bed.isHanging = false
      await ringAll(bed)
      const [lost, again, ...more] = bed.calls
      expect(again).toEqual(lost)
      expect(more).toEqual([])
      expect(await bed.restart().ask('totals', [])).toMatchObject({ received: 10, forwarded: 10 })
    }))

  test('that is at work has its next alarm set already: it may be cut off at any moment', () =>
    inside(async (bed) => {
      bed.isHanging = true
      await bed.restart().accept(request(events(0, 9), { receivedAtMs: NOW_MS }))
      bed.alarmAtMs = undefined
      const ringing = bed.restart().alarm()
      while (bed.calls.length === 0) await new Promise((resolve) => setTimeout(resolve, 5))
      expect(bed.alarmAtMs).toBeLessThanOrEqual(NOW_MS + 60_000)
      bed.nowMs += 30_000
      await ringing
    }))

  test('that an upstream refuses everything keeps the queue, though it is evicted before each alarm', () =>
    inside(async (bed) => {
      bed.isRefusing = true
      await bed.restart().accept(request(events(0, 199), { receivedAtMs: NOW_MS }))
      await ringAll(bed, 60)
      const { dead, forwarded } = await bed.restart().ask('totals', [])
      expect(dead).toBeGreaterThan(0)
      expect(dead).toBeLessThanOrEqual(20)
      expect(forwarded).toBe(0)
      bed.isRefusing = false
      await ringAll(bed)
      expect(await bed.restart().ask('totals', [])).toMatchObject({ received: 200, dead, forwarded: 200 - dead })
    }))

  test('whose fields fit no event keeps the queue, though it is evicted before each alarm', () =>
    inside(async (bed) => {
      const [route] = settings.meters
      const fields = { Id: 'id', Account: 'account', Quantity: 'data.quantiy' } as const
      const upstream = { meterGlobalId: 'calls', fields }
      const meters = route ? [{ ...route, upstream }] : []
      const ring = async (): Promise<void> => {
        bed.nowMs = Math.max(bed.nowMs, bed.alarmAtMs ?? 0)
        bed.alarmAtMs = undefined
        await bed.restart({ meters }).alarm()
      }
      for (let seq = 0; seq < 40; seq++) {
        await bed.restart({ meters }).accept(request(events(seq, seq), { receivedAtMs: NOW_MS }))
        await ring()
        await ring()
      }
      expect(bed.alarmAtMs).toBeGreaterThan(bed.nowMs)
      expect(await bed.restart({ meters }).ask('totals', [])).toMatchObject({ received: 40, forwarded: 0, dead: 19 })
      await ringAll(bed)
      expect(await bed.restart().ask('totals', [])).toMatchObject({ received: 40, forwarded: 21, dead: 19 })
    }))

  test('cuts what no row can hold into several, and sends all of it', () =>
    inside(async (bed) => {
      const shard = bed.restart()
      // 5 MB in one batch, in texts that gzip cannot make small.
      const data = () => JSON.stringify(Array.from({ length: 1_500 }, () => Math.random().toString(36)).join(''))
      const list = events(0, 299).map((event) => ({ ...event, data: data() }))
      expect(await shard.accept(request(list, { receivedAtMs: NOW_MS }))).toMatchObject({ stored: 300 })
      await ringAll(bed)
      expect(bed.calls.flatMap(({ ids }) => ids)).toHaveLength(300)
      expect(await bed.restart().ask('totals', [])).toMatchObject({ received: 300, forwarded: 300 })
    }))

  test.each<[string, (nth: number) => Promise<never>]>([
    ['is lost', () => Promise.reject(new Error('The object is gone.'))],
    ['is silent', () => new Promise(() => {})],
  ])('whose gate %s for a while keeps everything, and sends it by itself when the gate is there again', (_, fail) =>
    inside(async (bed) => {
      let asked = 0
      const whole = createGate({ upstream: settings.upstream, clock: () => bed.nowMs, fetch: upstream(bed) })
      const sometimes =
        <A extends unknown[], R>(ask: (...given: A) => Promise<R>) =>
        (...given: A): Promise<R> =>
          ++asked <= 2 ? fail(asked) : ask(...given)
      bed.gate = {
        token: sometimes(whole.token),
        discard: sometimes(whole.discard),
        take: sometimes(whole.take),
        hold: sometimes(whole.hold),
      }
      // One instance all the time: nothing but its own patience can help it.
      const shard = bed.restart()
      await shard.accept(request(events(0, 99), { receivedAtMs: NOW_MS }))
      for (let rings = 0; bed.alarmAtMs !== undefined && rings < 300; rings++) {
        bed.nowMs = Math.max(bed.nowMs, bed.alarmAtMs)
        bed.alarmAtMs = undefined
        await shard.alarm()
        await new Promise((resolve) => setTimeout(resolve, 50))
      }
      expect(asked).toBeGreaterThan(2)
      expect(await shard.ask('totals', [])).toMatchObject({ received: 100, forwarded: 100 })
      expect(bed.calls.flatMap(({ ids }) => ids)).toHaveLength(100)
    }),
  )

  test('that lingers sends what many accounts bring in small batches as one call', () =>
    inside(async (bed) => {
      const shard = bed.restart({ lingerMs: 1_500 })
      const batches = Array.from({ length: 40 }, (_, account) => {
        const list = events(0, 4, { stream: streamId(account) })
        return shard.accept(request(list, { account: `account-${account}`, receivedAtMs: NOW_MS }))
      })
      await Promise.all(batches)
      await expect.poll(() => bed.calls.length, { timeout: 20_000 }).toBeGreaterThan(0)
      expect(bed.calls.map(({ ids }) => ids.length)).toEqual([200])
    }))

  test('that was put back to an earlier moment names what it has lost, and what it sends again has the same ids', () =>
    inside(async (bed) => {
      const send = async (first: number, last: number) => {
        const streams = [{ id: streamId(0), recorded: last + 1, dropped: {}, refused: {} }]
        const list = events(first, last, { stream: streamId(0) })
        await bed.restart().accept({ ...request(list, { receivedAtMs: bed.nowMs }), streams })
      }
      await send(0, 9)
      await ringAll(bed)
      await send(10, 14)
      const earlier = bed.save()
      await ringAll(bed)
      await send(15, 19)
      await ringAll(bed)
      expect(await bed.restart().ask('totals', [])).toMatchObject({ received: 20, forwarded: 20, missing: 0 })

      bed.putBack(earlier)
      await bed.restart().wake()
      await ringAll(bed)
      await send(20, 24)
      await ringAll(bed)
      const shard = bed.restart()
      expect(await shard.ask('totals', [])).toMatchObject({ recorded: 25, received: 20, forwarded: 20, missing: 5 })
      expect(await shard.ask('gaps', [])).toMatchObject([{ missing: 5, open: [[15, 19]] }])
      const ids = bed.calls.flatMap((call) => call.ids)
      // The five that were on their way go twice, under the same ids: the upstream drops the second copy.
      expect(ids).toHaveLength(30)
      expect(new Set(ids).size).toBe(25)
    }))

  test('limits an account’s requests whichever isolate let them in, and nobody else’s', () =>
    inside(async (bed) => {
      const shard = bed.restart({ limits: { ...settings.limits, accountPerMinute: 3 } })
      const send = (account: string) => shard.accept(request([], { account, receivedAtMs: bed.nowMs }))
      for (let n = 0; n < 3; n++) expect(await send('acme')).not.toHaveProperty('refused')
      const refused = await send('acme')
      expect(refused).toMatchObject({ refused: { code: 'rate_limited', headers: { 'Retry-After': '20' } } })
      expect(await send('globex')).not.toHaveProperty('refused')
      bed.nowMs += 20_000
      expect(await send('acme')).not.toHaveProperty('refused')
    }))

  test('answers nothing that is not asked of shards', () =>
    inside(async (bed) => {
      await expect(async () => bed.restart().ask('secret' as never, [] as never)).rejects.toThrow('no such method')
    }))

  test('takes nothing while too much waits, and says so', () =>
    inside(async (bed) => {
      bed.failing = Number.POSITIVE_INFINITY
      const shard = bed.restart({ limits: { ...settings.limits, maxBacklogEvents: 5 } })
      await shard.accept(request(events(0, 9), { receivedAtMs: NOW_MS }))
      await new Promise((resolve) => setTimeout(resolve, 20))
      bed.nowMs += 2_000
      await shard.accept(request(events(10, 10), { receivedAtMs: NOW_MS }))
      const refused = await shard.accept(request(events(0, 1, { stream: streamId(9) }), { receivedAtMs: NOW_MS }))
      expect(refused).toMatchObject({ refused: { code: 'overloaded' } })
    }))
})
