import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { CallSource, RelayStore } from '../../src/relay/store/contract.ts'
import { type Database, openDatabase } from '../../src/relay/store/postgres/database.ts'
import { migrate } from '../../src/relay/store/postgres/migrate.ts'
import { migratePostgresStore } from '../../src/relay/store/postgres/migrate-postgres-store.ts'
import { openPostgresStore } from '../../src/relay/store/postgres/open-postgres-store.ts'
import { MIGRATIONS } from '../../src/relay/store/postgres/schema.ts'
import type { Sql } from '../../src/relay/store/postgres/sql.ts'
import { verifyPostgresStore } from '../../src/relay/store/postgres/verify-postgres-store.ts'
import { startPostgres, type TestPostgres } from '../support/postgres.ts'
import { describeRelayStore } from './relay-store.ts'
import { drain, event, events, ids, idsOf, request, S1, S2, streamId, take } from './relay-store-kit.ts'

const NOW_MS = 1_700_000_100_000
const DAY_MS = 86_400_000
const RUNS = process.env.METERTAP_LONG ? 100 : 15

let server: TestPostgres
let homes = 0
beforeAll(async () => {
  server = await startPostgres()
}, 60_000)
afterAll(() => server.stop())

/** A schema of its own for each test. */
async function makeHome() {
  const schema = `home_${homes++}`
  await migratePostgresStore({ url: server.url, schema })
  return {
    open: (options = {}) =>
      openPostgresStore({ url: server.url, schema, clock: () => NOW_MS, maxConnections: 4, ...options }),
    verify: async () => (await verifyPostgresStore({ url: server.url, schema })).problems,
    remove: () => server.dropSchema(schema),
  }
}

describe('in PostgreSQL', { timeout: 120_000 }, () => describeRelayStore('PostgreSQL store', makeHome, RUNS))

describe('PostgreSQL store, many on one database', { timeout: 60_000 }, () => {
  let schema: string
  let stores: RelayStore[]
  beforeEach(() => {
    schema = `shared_${homes++}`
    stores = []
  })
  afterEach(async () => {
    await Promise.all(stores.map((store) => store.close()))
    await server.dropSchema(schema)
  })

  function open(options: Partial<Parameters<typeof openPostgresStore>[0]> = {}): RelayStore {
    const store = openPostgresStore({ url: server.url, schema, clock: () => NOW_MS, maxConnections: 4, ...options })
    stores.push(store)
    return store
  }
  const verify = async () => (await verifyPostgresStore({ url: server.url, schema })).problems

  test('open at once on an empty database: one migrates, all work', async () => {
    const many = Array.from({ length: 6 }, () => open({ maxConnections: 2 }))
    await Promise.all(many.map((store) => store.check()))
    expect(await server.query(`SELECT version FROM "${schema}".version`)).toEqual([{ version: 1 }])
    expect(await migratePostgresStore({ url: server.url, schema })).toEqual({ from: 1, to: 1 })
  })

  test('a later version is made by one of many, beside a relay at work; one that fails leaves the earlier whole', async () => {
    const store = open()
    await store.check()
    const databases = Array.from({ length: 5 }, () =>
      openDatabase({ url: server.url, maxConnections: 1, onIdleError: () => {} }),
    )
    const all = <T>(work: (database: Database) => Promise<T>) => Promise.allSettled(databases.map(work))
    const version = async () => (await server.query(`SELECT version FROM "${schema}".version`))[0]

    const broken = [...MIGRATIONS, 'CREATE TABLE :s.half (n int4); SELECT 1 / 0']
    for (const { status } of await all((database) => migrate(database, schema, broken))) expect(status).toBe('rejected')
    expect(await version()).toEqual({ version: MIGRATIONS.length })
    expect(await server.query('SELECT to_regclass($1) AS half', [`"${schema}".half`])).toEqual([{ half: null }])

    let isOver = false
    let sent = 0
    const working = (async () => {
      for (; !isOver || sent < 20; sent++) await store.accept(request(events(sent, sent)))
    })()
    const next = [...MIGRATIONS, 'CREATE TABLE :s.made (n int4); ALTER TABLE :s.streams ADD COLUMN note text']
    const made = await all((database) => migrate(database, schema, next))
    isOver = true
    await working
    const from = made.map((each) => (each.status === 'fulfilled' ? each.value.from : each.reason))
    expect(from.toSorted(), 'one did it').toEqual([1, 2, 2, 2, 2])
    expect(await version()).toEqual({ version: MIGRATIONS.length + 1 })
    // The relay of the version before has gone on; one that starts now is told that the database is newer.
    expect(await store.totals()).toMatchObject({ received: sent })
    await expect(open().check()).rejects.toMatchObject({ code: 'bad_option' })
    await all((database) => database.end())
  })

  test('take the same batches of the same streams at the same time: each number once', async () => {
    const three = [open(), open(), open()]
    const batches = Array.from({ length: 12 }, (_, n) => [
      ...events(5 * n, 5 * n + 9),
      ...events(3 * n, 3 * n + 5, { stream: S2 }),
      ...events(0, 4, { stream: streamId(100 + n) }),
    ])
    const sent = batches.flatMap((list) => three.map((store) => store.accept(request(list))))
    const results = await Promise.all(sent)
    const distinct = new Set(batches.flat().map(({ stream, seq }) => `${stream}-${seq}`))
    expect(results.reduce((sum, { stored }) => sum + stored, 0)).toBe(distinct.size)
    expect(await verify()).toEqual([])
    const delivered = await drain(three[0] as RelayStore)
    expect(delivered).toHaveLength(distinct.size)
    expect(new Set(delivered)).toEqual(distinct)
  })

  test('of events with one idempotency key, sent to several at once, one is stored: around midnight too', async () => {
    const three = [open(), open(), open()]
    const beforeMidnight = Math.floor(NOW_MS / DAY_MS) * DAY_MS + DAY_MS - 1
    for (let round = 0; round < 8; round++) {
      const results = await Promise.all(
        three.map((store, n) => {
          const list = [event(round, { stream: streamId(n + 1), idempotencyKey: `order ${round}` })]
          // Their clocks differ by a little: for one of them it is tomorrow.
          return store.accept(request(list, { receivedAtMs: beforeMidnight + n }))
        }),
      )
      expect(results.map(({ stored }) => stored).toSorted()).toEqual([0, 0, 1])
    }
    expect(await verify()).toEqual([])
  })

  test('cut and settle one lane together: every event is in one delivery', async () => {
    const three = [open(), open(), open()]
    for (let n = 0; n < 40; n++) await three[n % 3]?.accept(request(events(0, 9, { stream: streamId(n) })))
    const seen: string[] = []
    const work = async (store: RelayStore, name: string): Promise<void> => {
      for (let n = 0, idle = 0; idle < 5; n++) {
        const delivery = await take(store, { owner: `${name} ${n}`, maxEvents: 7, leaseMs: 1e9 })
        if (!delivery) {
          idle++
          continue
        }
        seen.push(...idsOf(delivery))
        await store.acceptDelivery(delivery.id, NOW_MS)
      }
    }
    await Promise.all(three.map((store, n) => work(store, `o${n}`)))
    expect(seen).toHaveLength(400)
    expect(new Set(seen).size).toBe(400)
    expect(await three[0]?.totals()).toMatchObject({ received: 400, forwarded: 400 })
    expect(await verify()).toEqual([])
  })

  test('in strict order no two have a lane’s events at a time', async () => {
    const two = [open(), open()]
    await two[0]?.accept(request(events(0, 19)))
    const ordered = { ordered: true, maxEvents: 5 }
    const got = await Promise.all(two.map((store, n) => take(store, { ...ordered, owner: `o${n}` })))
    const taken = got.filter((delivery) => delivery !== undefined)
    expect(taken.map(idsOf)).toEqual([ids(S1, 0, 4)])
  })

  test('a verdict that comes after the lease has ended counts once, whoever heard it first', async () => {
    const [one, two] = [open(), open()]
    await one.accept(request(events(0, 9)))
    const first = await take(one, { owner: 'o1', leaseMs: 10, nowMs: 1_000 })
    const second = await take(two, { owner: 'o2', leaseMs: 10, nowMs: 2_000 })
    expect(second?.id).toBe(first?.id)
    await Promise.all([one, two].map((store) => store.acceptDelivery(first?.id ?? '', 3_000)))
    await two.buryDelivery(first?.id ?? '', 'late', '', 3_000)
    expect(await one.totals()).toMatchObject({ forwarded: 10, dead: 0 })
    expect(await verify()).toEqual([])
  })

  test('a revocation and a new signing key hold for all at once', async () => {
    const [one, two] = [open(), open()]
    await one.revoke({ tenant: 't', account: 'a', beforeMs: 500 })
    expect(await two.revokedBefore({ tenant: 't', account: 'a', device: 'd' })).toBe(500)
    const made = await Promise.all([one, two].map((store, n) => store.secret('key', async () => `made by ${n}`)))
    expect(made[0]).toBe(made[1])
    expect(await Promise.all([one, two].map((store) => store.swapSecret('key', made[0] as string, 'new')))).toSatisfy(
      (swapped: boolean[]) => swapped.filter(Boolean).length === 1,
    )
  })

  test('the calls to an upstream are one budget, and a hold is everybody’s', async () => {
    const buckets = [
      { name: 'a minute', capacity: 30, perMs: 1e-9 },
      { name: 'an hour', capacity: 1_000, perMs: 1 },
    ]
    const three = [open(), open(), open()]
    const sources = three.map((store) => store.sharedCalls?.(buckets) as CallSource)
    const drawn = await Promise.all(sources.flatMap((source) => Array.from({ length: 5 }, () => source.take(4))))
    expect(drawn.reduce((sum, { calls }) => sum + calls, 0)).toBe(30)
    expect((await sources[0]?.take(4))?.calls).toBe(0)
    expect((await sources[0]?.take(4))?.waitMs).toBeGreaterThan(0)
    const [one, two] = three.map(
      (store) => store.sharedCalls?.([{ name: 'other', capacity: 9, perMs: 1 }]) as CallSource,
    )
    await one?.hold(60_000)
    const held = await two?.take(1)
    expect(held?.calls).toBe(0)
    expect(held?.waitMs).toBeGreaterThan(30_000)
  })

  test('keys, hours and chunks of days that are done with leave the database as whole tables', async () => {
    const store = open({ idempotencyWindowDays: 3, hourlyDays: 5 })
    for (let day = 0; day < 10; day++) {
      const list = [event(day, { idempotencyKey: `${day}` })]
      await store.accept(request(list, { receivedAtMs: NOW_MS + day * DAY_MS }))
    }
    const today = Math.floor(NOW_MS / DAY_MS)
    const parts = async (table: string): Promise<number[]> => {
      const rows = await server.query<{ name: string }>(
        'SELECT c.relname AS name FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid WHERE i.inhparent = $1::regclass',
        [`"${schema}".${table}`],
      )
      return rows.map(({ name }) => Number(name.split('_')[1]) - today).toSorted((a, b) => a - b)
    }
    expect(await parts('keys')).toEqual([6, 7, 8, 9, 10])
    expect(await parts('hours')).toEqual([4, 5, 6, 7, 8, 9, 10])
    // Chunks are stored under the database's own day; an empty part of the past goes when a store is opened.
    const [last] = (await parts('chunks')).slice(-1)
    const old = `chunks_${String(today).padStart(5, '0')}`
    await server.query(`CREATE TABLE "${schema}".${old} (LIKE "${schema}".chunks INCLUDING ALL)`)
    const bounds = `FROM (${today * 2 ** 38}) TO (${(today + 1) * 2 ** 38})`
    await server.query(`ALTER TABLE "${schema}".chunks ATTACH PARTITION "${schema}".${old} FOR VALUES ${bounds}`)
    await open().check()
    expect(await parts('chunks')).toEqual([(last as number) - 2, (last as number) - 1, last])
  })

  test('a value that the database cannot hold costs its neighbours nothing', async () => {
    const store = open()
    const lists = [{ device: 'd1' }, { device: 'd\0' }, { device: 'd3' }]
    const results = await Promise.allSettled(lists.map((who, n) => store.accept(request(events(n, n), who))))
    expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled'])
    expect((results[1] as PromiseRejectedResult).reason).toMatchObject({ code: 'internal' })
    expect(await store.totals()).toMatchObject({ received: 2 })
    expect(await verify()).toEqual([])
  })

  test('is refused where it cannot work, and the address is not told', async () => {
    const wrong = server.url.replace('secret@', 'private@')
    const error = await open({ url: wrong })
      .check()
      .catch((caught: unknown) => caught)
    expect(error).toMatchObject({ code: 'bad_option', message: expect.stringContaining('METERTAP_POSTGRES_URL') })
    expect(JSON.stringify([error, String(error), String((error as Error).cause)])).not.toContain('private')
    await expect(open({ url: 'postgres://u:p@127.0.0.1:1/x' }).check()).rejects.toMatchObject({ code: 'internal' })
    const store = open()
    await store.check()
    await expect(store.backup('/tmp/x')).rejects.toMatchObject({ message: expect.stringContaining('pg_dump') })
    await server.query(`UPDATE "${schema}".version SET version = 99`)
    await expect(open().check()).rejects.toMatchObject({
      code: 'bad_option',
      message: expect.stringContaining('newer'),
    })
    await expect(verify()).rejects.toMatchObject({ code: 'bad_option' })
  })

  test('a server that ends in the middle of work: what was acknowledged is there, the rest can be sent again', async () => {
    const two = [open(), open()]
    await Promise.all(two.map((store) => store.check()))
    const acknowledged = new Set<number>()
    let failures = 0
    let isOver = false
    const send = async (n: number): Promise<void> => {
      try {
        await two[n % 2]?.accept(request(events(10 * n, 10 * n + 9), { streams: [] }))
        acknowledged.add(n)
      } catch (error) {
        expect(error).toMatchObject({ name: 'MetertapError', code: 'internal' })
        failures++
      }
    }
    let sent = 0
    for (; sent < 10; sent++) await send(sent)
    expect(acknowledged.size).toBe(10)
    const restarting = server.restart(200).finally(() => {
      isOver = true
    })
    while (!isOver || sent % 2) {
      await Promise.all([send(sent), send(sent + 1)])
      sent += 2
      await new Promise((resolve) => setTimeout(resolve, 5))
    }
    await restarting
    expect(failures).toBeGreaterThan(0)
    const [row] = (await two[0]?.ledger({ stream: S1 })) ?? []
    expect(row?.received).toBeGreaterThanOrEqual(10 * acknowledged.size)
    for (let n = 0; n < sent; n++) await two[n % 2]?.accept(request(events(10 * n, 10 * n + 9)))
    expect(await drain(two[1] as RelayStore)).toHaveLength(10 * sent)
    expect(await verify()).toEqual([])
  })

  test('relies on no session: no lock and no prepared statement outlives its transaction', async () => {
    const store = open({ maxConnections: 1 })
    await store.accept(request([event(0, { idempotencyKey: 'a' })]))
    await store.acceptDelivery((await take(store, { ordered: true }))?.id ?? '', NOW_MS)
    await store.ledger()
    const locks = await server.query("SELECT 1 FROM pg_locks WHERE locktype = 'advisory'")
    expect(locks).toEqual([])
    const names = await server.query<{ query: string }>(
      "SELECT query FROM pg_stat_activity WHERE application_name = 'metertap' AND state LIKE 'idle in transaction%'",
    )
    expect(names).toEqual([])
  })

  test('has no more connections than it may, however much comes at once', async () => {
    const sessions = async (): Promise<number[]> =>
      (await server.query<{ pid: number }>(OWN_SESSIONS)).map(({ pid }) => pid)
    // Sessions of a store that has just been closed may still be ending.
    const others = new Set(await sessions())
    const store = open({ maxConnections: 3 })
    const work = Array.from({ length: 60 }, (_, n) => [
      store.accept(request(events(0, 4, { stream: streamId(n) }))),
      store.useNonce(`${n}`, 1e15, NOW_MS),
      store.totals(),
    ]).flat()
    const seen = new Set<number>()
    const look = async (): Promise<void> => {
      for (const pid of await sessions()) if (!others.has(pid)) seen.add(pid)
    }
    let isOver = false
    const watching = (async () => {
      while (!isOver) await look()
    })()
    await Promise.all(work)
    isOver = true
    await Promise.all([watching, look()])
    expect(seen.size).toBeGreaterThan(1)
    expect(seen.size).toBeLessThanOrEqual(3)
    expect(await store.totals()).toMatchObject({ received: 300 })
  })
})

const OWN_SESSIONS = "SELECT pid FROM pg_stat_activity WHERE application_name = 'metertap'"

describe('a transaction', { timeout: 60_000 }, () => {
  const openOne = () => openDatabase({ url: server.url, maxConnections: 1, onIdleError: () => {} })

  test('ends when one of its statements takes too long, or waits too long for a lock; the connection is good for the next', async () => {
    const database = openOne()
    const slow = (sql: Sql): Promise<unknown> => sql('SELECT pg_sleep(30)')
    await expect(database.transaction(slow, { statementTimeoutMs: 50 })).rejects.toMatchObject({ code: '57014' })
    await server.query('CREATE TABLE IF NOT EXISTS locked (n int4)')
    const other = openOne()
    const isLocked = Promise.withResolvers<void>()
    const mayEnd = Promise.withResolvers<void>()
    const holding = other.transaction(async (sql) => {
      await sql('LOCK TABLE locked IN ACCESS EXCLUSIVE MODE')
      isLocked.resolve()
      await mayEnd.promise
    })
    await isLocked.promise
    const wait = (sql: Sql): Promise<unknown> => sql('SELECT * FROM locked')
    await expect(database.transaction(wait, { lockTimeoutMs: 20 })).rejects.toMatchObject({ code: '55P03' })
    mayEnd.resolve()
    await holding
    expect(await database.transaction(wait, { lockTimeoutMs: 5_000 })).toEqual([])
    await Promise.all([database.end(), other.end()])
  })

  test('has limits by itself, which the session does not keep, and syncs though the server was told not to', async () => {
    const database = openOne()
    const names = ['statement_timeout', 'lock_timeout', 'idle_in_transaction_session_timeout', 'synchronous_commit']
    const settings = async (sql: Sql): Promise<unknown> =>
      (await sql<object>(`SELECT ${names.map((name) => `current_setting('${name}') AS ${name}`).join(', ')}`))[0]
    await database.read("SELECT set_config('synchronous_commit', 'off', false)")
    expect(await database.transaction(settings)).toEqual({
      ...{ statement_timeout: '30s', lock_timeout: '10s', idle_in_transaction_session_timeout: '30s' },
      synchronous_commit: 'on',
    })
    expect(await settings(database.read)).toEqual({
      ...{ statement_timeout: '0', lock_timeout: '0', idle_in_transaction_session_timeout: '0' },
      synchronous_commit: 'off',
    })
    await database.end()
  })
})
