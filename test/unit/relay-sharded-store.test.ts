import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { createLetterIds } from '../../src/relay/edge/letter-ids.ts'
import { createRevocationCache } from '../../src/relay/edge/revocation-cache.ts'
import { shardOf } from '../../src/relay/edge/shard-of.ts'
import { createShardedStore, type ShardedStore } from '../../src/relay/edge/sharded-store.ts'
import { createCallBudget } from '../../src/relay/forward/call-budget.ts'
import { createSlicedBudget } from '../../src/relay/forward/sliced-budget.ts'
import type { RelayStore } from '../../src/relay/store/contract.ts'
import { openSqliteStore } from '../../src/relay/store/sqlite/open-sqlite-store.ts'
import { events, request, streamId, take } from '../contract/relay-store-kit.ts'
import { openMemoryKeys } from '../support/memory-keys.ts'
import { shardOver } from '../support/store-shard.ts'

const SHARDS = 3
const ACCOUNTS = ['acme', 'globex', 'initech', 'umbrella', 'hooli', 'stark', 'wayne', 'tyrell']

let folder: string
let stores: RelayStore[]
let store: ShardedStore
const asked: string[] = []
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'metertap-sharded-'))
  stores = Array.from({ length: SHARDS }, (_, i) => openSqliteStore({ path: join(folder, `${i}.db`), clock: () => 42 }))
  const keys = openMemoryKeys()
  const shards = stores.map((of) => shardOver(of, (name) => asked.push(name)))
  const revocations = createRevocationCache(keys, () => 0)
  store = createShardedStore({ tenant: 'default', shards, keys, revocations })
})
afterEach(async () => {
  for (const of of stores) await of.close()
  rmSync(folder, { recursive: true })
})

/** Each account: numbers 0 … n of a stream of its own, with n its place in the list. */
async function fill(): Promise<void> {
  for (const [i, account] of ACCOUNTS.entries()) {
    await store.accept(request(events(0, i, { stream: streamId(i) }), { account, receivedAtMs: 1_700_000_100_000 + i }))
  }
}

async function buryAll(): Promise<void> {
  for (const of of stores) {
    for (;;) {
      const delivery = await take(of, { maxEvents: 1, nowMs: 0, owner: crypto.randomUUID() })
      if (!delivery) break
      await of.buryDelivery(delivery.id, 'refused', 'why', 7)
    }
  }
}

const TOTAL = ACCOUNTS.reduce((sum, _, i) => sum + i + 1, 0)

describe('one store over many shards', () => {
  test('puts an account’s events into its own shard, and sums over all', async () => {
    await fill()
    const each = await Promise.all(stores.map((of) => of.totals()))
    expect(each.every(({ received }) => received > 0)).toBe(true)
    expect(await store.totals()).toMatchObject({ streams: ACCOUNTS.length, received: TOTAL, recorded: TOTAL })
    expect(await store.backlog()).toMatchObject([
      { lane: 'api_calls', waiting: TOTAL, oldestReceivedAtMs: 1_700_000_100_000 },
    ])
    const rows = await store.ledger()
    expect(rows.map(({ stream }) => stream)).toEqual(ACCOUNTS.map((_, i) => streamId(i)).toReversed())
    expect(await store.ledger({ account: 'hooli' })).toMatchObject([{ account: 'hooli', received: 5 }])
    expect(await store.ledger({ limit: 2 })).toHaveLength(2)
    expect((await store.ledgerByHour()).reduce((sum, { received }) => sum + received, 0)).toBe(TOTAL)
    expect(await store.gaps()).toEqual([])
  })

  test('gives dead letters one number each: pages, edits, replays and deletes by it', async () => {
    await fill()
    await buryAll()
    const all = await store.deadLetters({ limit: 1_000 })
    expect(all).toHaveLength(TOTAL)
    expect(new Set(all.map(({ id }) => id)).size).toBe(TOTAL)
    const paged: number[] = []
    for (let page = await store.deadLetters({ limit: 7 }); page.length > 0; ) {
      paged.push(...page.map(({ id }) => id))
      page = await store.deadLetters({ limit: 7, before: paged.at(-1) as number })
    }
    expect(paged).toEqual(all.map(({ id }) => id))
    const [first, second, third] = all as [(typeof all)[0], (typeof all)[0], (typeof all)[0]]
    expect(await store.deadLetters({ id: second.id })).toEqual([second])
    expect(await store.editDeadLetter(second.id, '{"quantity":9}')).toBe(true)
    expect(await store.deadLetters({ id: second.id })).toMatchObject([
      { stream: second.stream, seq: second.seq, data: '{"quantity":9}' },
    ])
    expect(await store.replayDeadLetters([first.id, third.id])).toHaveLength(2)
    expect(await store.deleteDeadLetters([second.id, first.id])).toBe(1)
    expect(await store.totals()).toMatchObject({ dead: TOTAL - 3, discarded: 1 })
  })

  test('exports dead letters shard after shard: a page is one question, however many shards', async () => {
    await fill()
    await buryAll()
    asked.length = 0
    const ids: number[] = []
    for await (const page of { [Symbol.asyncIterator]: () => store.pagesOfDeadLetters({}, 5) }) {
      expect(page.length).toBeLessThanOrEqual(5)
      ids.push(...page.map(({ id }) => id))
    }
    expect(ids.toSorted((a, b) => b - a)).toEqual((await store.deadLetters({ limit: 1_000 })).map(({ id }) => id))
    const pages = asked.filter((name) => name === 'deadLetters').length - SHARDS
    expect(pages).toBeLessThanOrEqual(Math.ceil(TOTAL / 5) + SHARDS)
  })

  test('pauses and resumes a lane everywhere; releases what one account has on hold', async () => {
    await fill()
    await store.pauseLane('api_calls', 'maintenance', 5)
    expect(await store.backlog()).toMatchObject([{ paused: { reason: 'maintenance', sinceMs: 5 } }])
    expect(await store.resumeLane('api_calls')).toBe(true)
    expect(await store.resumeLane('api_calls')).toBe(false)
    await store.accept(request(events(0, 3, { stream: streamId(99) }), { account: 'hooli', hold: true }))
    expect(await store.heldEvents({ account: 'hooli' })).toMatchObject([{ account: 'hooli', events: 4 }])
    expect(await store.releaseHeld({ tenant: 'default', account: 'hooli' })).toBe(4)
  })

  test('lists and limits as one store does: what is held, what is parked, the hours', async () => {
    for (const [i, account] of ACCOUNTS.entries()) {
      const list = events(0, i, { stream: streamId(i) })
      await store.accept(request(list, { account, receivedAtMs: 1_700_000_100_000 }))
      await store.accept(
        request(events(0, 1, { stream: streamId(50 + i) }), { account, hold: true, receivedAtMs: 1_700_000_100_000 }),
      )
    }
    let parkedAtMs = 100
    for (const of of stores) {
      for (let n = 0; n < 3; n++) {
        const delivery = await take(of, { maxEvents: 1, nowMs: 0, owner: crypto.randomUUID() })
        await of.parkDelivery(delivery?.id ?? '', 'why', parkedAtMs--)
      }
    }
    const parked = await store.parkedDeliveries({ limit: 5 })
    expect(parked.map((delivery) => delivery.parkedAtMs)).toEqual([92, 93, 94, 95, 96])
    expect(await store.resolveParked(parked[0]?.id ?? '', 'bury', 1_700_000_100_000)).toBe(true)
    expect(await store.resolveParked(parked[0]?.id ?? '', 'bury', 7)).toBe(false)
    const sorted = ACCOUNTS.toSorted()
    expect((await store.heldEvents()).map(({ account }) => account)).toEqual(sorted)
    expect((await store.heldEvents({ limit: 3 })).map(({ account }) => account)).toEqual(sorted.slice(0, 3))
    expect((await store.ledgerByHour({ limit: 4 })).map(({ account }) => account)).toEqual(sorted.slice(0, 4))
  })

  test('uses a nonce up once, shares secrets, and knows a revocation at once where it was made', async () => {
    expect(await store.useNonce('n', 9, 1)).toBe(true)
    expect(await store.useNonce('n', 9, 1)).toBe(false)
    expect(await store.secret('key', async () => 'a')).toBe('a')
    expect(await store.secret('key', async () => 'b')).toBe('a')
    expect(await store.swapSecret('key', 'a', 'c')).toBe(true)
    expect(await store.revokedBefore({ tenant: 'default', account: 'acme', device: 'd1' })).toBe(0)
    await store.revoke({ tenant: 'default', account: 'acme', beforeMs: 50 })
    await store.revoke({ tenant: 'default', account: 'acme', device: 'd1', beforeMs: 70 })
    expect(await store.revokedBefore({ tenant: 'default', account: 'acme', device: 'd1' })).toBe(70)
    expect(await store.revokedBefore({ tenant: 'default', account: 'acme', device: 'd2' })).toBe(50)
    expect(await store.revocations()).toHaveLength(2)
  })
})

describe('the parts of it', () => {
  test('accounts spread evenly, and always to the same shard', () => {
    const counts = new Array<number>(16).fill(0)
    for (let i = 0; i < 16_000; i++) {
      const shard = shardOf(16, 'default', `account-${i}`)
      counts[shard] = (counts[shard] ?? 0) + 1
    }
    expect(Math.min(...counts)).toBeGreaterThan(850)
    expect(Math.max(...counts)).toBeLessThan(1_150)
    // Written down: another answer would move every account to an object that does not know its streams.
    expect(['acme', 'globex', 'ä\u{1f600}'].map((account) => shardOf(4, 'default', account))).toEqual([0, 0, 1])
  })

  test('a letter’s number leads back to its shard, and a page ends where it should', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 256 }),
        fc.nat(10_000),
        fc.nat(255),
        fc.nat(3_000_000),
        (shards, local, of, before) => {
          const shard = of % shards
          const ids = createLetterIds(shards)
          const id = ids.toGlobal(local, shard)
          expect([ids.shardOf(id), ids.toLocal(id)]).toEqual([shard, local])
          // Exactly the letters before `before` have a local number before that of the shard.
          expect(local < ids.firstNotBefore(before, shard)).toBe(id < before)
        },
      ),
    )
  })

  test('shards that draw on one budget never spend more than it allows, however they take turns', async () => {
    let nowMs = 0
    const clock = () => nowMs
    const budget = createCallBudget([{ calls: 600, spanMs: 60_000 }], clock)
    const gate = {
      async take(want: number) {
        let calls = 0
        while (calls < want && budget.waitMs() === 0) {
          budget.spend()
          calls++
        }
        return { calls, waitMs: budget.waitMs() }
      },
      async hold(ms: number) {
        budget.hold(ms)
      },
    }
    const shards = Array.from({ length: 8 }, () => createSlicedBudget(gate, clock))
    const spentAt: number[] = []
    for (; nowMs < 180_000; nowMs += 25) {
      const shard = shards[Math.floor(nowMs / 25) % 8] as (typeof shards)[0]
      if ((await shard.waitMs()) === 0) {
        shard.spend()
        spentAt.push(nowMs)
      }
    }
    for (let from = 0; from < 120_000; from += 5_000) {
      const within = spentAt.filter((atMs) => atMs >= from && atMs < from + 60_000).length
      expect(within).toBeLessThanOrEqual(480 + 8 * 4)
    }
    expect(spentAt.length).toBeGreaterThan(1_000)
    // What one shard is told holds for all of them.
    shards[0]?.hold(60_000)
    nowMs += 20_000
    for (const shard of shards) expect(await shard.waitMs()).toBeGreaterThan(30_000)
  })
})
