import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { RelayStore } from '../../src/relay/store/contract.ts'
import { describeDeliveries } from './relay-store-deliveries.ts'
import { describeDesk } from './relay-store-desk.ts'
import { describeDoubt } from './relay-store-doubt.ts'
import { describeKeys } from './relay-store-keys.ts'
import { drain, event, events, ids, request, S1, S2, type StoreHome, sumLedger, take } from './relay-store-kit.ts'
import { describePacks } from './relay-store-packs.ts'
import { describeProperties } from './relay-store-properties.ts'

/** What every RelayStore promises. `makeHome` gives a fresh, empty place; `runs` is how many invented histories it lives. */
export function describeRelayStore(name: string, makeHome: () => Promise<StoreHome>, runs?: number): void {
  describe(name, () => {
    let home: StoreHome
    let store: RelayStore

    beforeEach(async () => {
      home = await makeHome()
      store = home.open()
    })
    afterEach(async () => {
      await store.close()
      await home.remove()
    })

    async function reopen(): Promise<RelayStore> {
      await store.close()
      store = home.open()
      return store
    }

    describe('accept', () => {
      test('stores new events and says what it holds', async () => {
        const result = await store.accept(request([...events(0, 4), ...events(7, 8, { stream: S2 })]))
        expect(result).toEqual({
          received: { [S1]: [[0, 4]], [S2]: [[7, 8]] },
          stored: 7,
          duplicates: 0,
          deduplicated: 0,
          rejected: [],
        })
        expect(await drain(store)).toEqual([...ids(S1, 0, 4), ...ids(S2, 7, 8)])
      })

      test.each([
        ['the same again', events(0, 4), 0],
        ['a prefix of it', events(0, 2), 0],
        ['an overlap', events(3, 7), 3],
        ['every second number', [0, 2, 4, 6, 8].map((seq) => event(seq)), 2],
        ['a gap before the rest', events(10, 12), 3],
        ['numbers in falling order', events(2, 6).toReversed(), 2],
      ])('takes each number once: %s', async (_, second, fresh) => {
        await store.accept(request(events(0, 4)))
        const result = await store.accept(request(second))
        expect(result).toMatchObject({ stored: fresh, duplicates: second.length - fresh })
        const all = await drain(store)
        expect(all).toHaveLength(5 + fresh)
        expect(new Set(all).size).toBe(5 + fresh)
      })

      test('takes the first of duplicates within one request', async () => {
        const twice = [event(1, { data: '"first"' }), event(0), event(1, { data: '"second"' }), event(1)]
        expect(await store.accept(request(twice))).toMatchObject({ stored: 2, duplicates: 2 })
        let data: string[] = []
        await take(store, {}, (list) => {
          data = list.map((stored) => stored.data)
          return { taken: 2, body: new Uint8Array(1), rows: 2, bytes: 1, unmappable: [] }
        })
        expect(data).toEqual([event(0).data, '"first"'])
      })

      test('a number used for another meter is the same number', async () => {
        await store.accept(request([event(0)]))
        expect(await store.accept(request([event(0, { meter: 'storage' })]))).toMatchObject({
          stored: 0,
          duplicates: 1,
        })
        expect(await drain(store, { lane: 'storage' })).toEqual([])
      })

      test('a stream under another account or tenant is another stream', async () => {
        await store.accept(request(events(0, 2)))
        expect(await store.accept(request(events(0, 2), { account: 'other' }))).toMatchObject({ stored: 3 })
        expect(await store.accept(request(events(0, 2), { tenant: 'other' }))).toMatchObject({ stored: 3 })
        expect(await store.ledger({ stream: S1 })).toHaveLength(3)
        expect(await store.totals()).toMatchObject({ streams: 3, received: 9 })
      })

      test('gives every event back exactly as it came', async () => {
        const odd = ['{"a":1.10,"__proto__":{"b":",]\\n"}}', '[1,[2,3]]', '"😀"', 'null', '{\n"x":\n1}']
        await store.accept(request(odd.map((data, seq) => event(seq, { data, atMs: seq - 0.5 }))))
        await reopen()
        let stored: unknown[] = []
        await take(store, {}, (list) => {
          stored = list.map(({ data, atMs }) => [data, atMs])
          return { taken: list.length, body: new Uint8Array(1), rows: list.length, bytes: 1, unmappable: [] }
        })
        expect(stored.slice(0, 4)).toEqual(odd.slice(0, 4).map((data, seq) => [data, seq - 0.5]))
        expect(JSON.parse((stored[4] as [string, number])[0])).toEqual({ x: 1 })
      })

      test('one bad request does not cost its neighbours in the same turn', async () => {
        const bad = event(1, { seq: Number.NaN })
        const lists = [events(0, 1), [event(5), bad], events(2, 3)]
        const results = await Promise.allSettled(lists.map((list) => store.accept(request(list, { streams: [] }))))
        expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled'])
        expect((results[1] as PromiseRejectedResult).reason).toMatchObject({ name: 'MetertapError', code: 'internal' })
        expect(await drain(store)).toEqual(ids(S1, 0, 3))
        expect(await store.totals()).toMatchObject({ received: 4 })
      })

      test('the same events in two requests of one turn are stored once', async () => {
        const results = await Promise.all([store.accept(request(events(0, 9))), store.accept(request(events(5, 14)))])
        expect(results.map(({ stored }) => stored)).toEqual([10, 5])
        expect(await drain(store)).toEqual(ids(S1, 0, 14))
      })

      test('everything is still known after a restart', async () => {
        await store.accept(request([...events(0, 4), ...events(8, 9)]))
        const before = [await store.ledger(), await store.totals(), await store.backlog()]
        await reopen()
        expect([await store.ledger(), await store.totals(), await store.backlog()]).toEqual(before)
        expect(await store.accept(request(events(0, 9)))).toMatchObject({ stored: 3, duplicates: 7 })
        expect(await drain(store)).toHaveLength(10)
        // Everything is settled and gone, and the numbers are still known.
        await reopen()
        expect(await store.accept(request(events(0, 9)))).toMatchObject({ stored: 0, duplicates: 10 })
        expect(await drain(store)).toEqual([])
      })
    })

    describe('a stream with too many gaps', () => {
      test('takes what fills or extends, rejects what opens another range', async () => {
        await store.close()
        store = home.open({ maxRangesPerStream: 3 })
        await store.accept(request([event(0), event(2), event(4)]))
        const result = await store.accept(request([event(1), event(5), event(8), event(9), event(20)]))
        expect(result.stored).toBe(4)
        expect(result.received[S1]).toEqual([
          [0, 2],
          [4, 5],
          [8, 9],
        ])
        expect(result.rejected).toEqual([
          { stream: S1, seq: 20, code: 'too_many_gaps', detail: expect.stringContaining('3') },
        ])
      })

      test('judges neighbours together, whatever their order', async () => {
        await store.close()
        store = home.open({ maxRangesPerStream: 1 })
        await store.accept(request([event(5)]))
        const result = await store.accept(request([event(2), event(4), event(3), event(7)]))
        expect(result.received[S1]).toEqual([[2, 5]])
        expect(result.rejected.map(({ seq }) => seq)).toEqual([7])
        expect(await store.totals()).toMatchObject({ recorded: 8, received: 4, rejected: 1, missing: 3 })
        // The gap closed, the rejected number is welcome.
        expect(await store.accept(request([event(6), event(7)]))).toMatchObject({ stored: 2, rejected: [] })
        expect(await store.totals()).toMatchObject({ received: 6, rejected: 0, missing: 2 })
      })
    })

    describe('ledger', () => {
      test('recorded = received + declared + rejected + missing', async () => {
        const streams = [{ id: S1, recorded: 20, dropped: { outbox_full: 3, purged: 1 }, refused: { invalid_data: 7 } }]
        const refused = [
          { stream: S1, seq: 5 },
          { stream: S1, seq: 6 },
          { stream: S1, seq: 5 },
        ]
        await store.accept(request(events(0, 4), { streams, refused }))
        const [row] = await store.ledger()
        expect(row).toEqual({
          ...{ tenant: 'default', account: 'acme', device: 'd1', stream: S1, recorded: 20, received: 5, rejected: 2 },
          declared: { outbox_full: 3, purged: 1 },
          refused: { invalid_data: 7 },
          ...{ forwarded: 0, dead: 0, discarded: 0, deduplicated: 0, held: 0 },
          ...{ missing: 9, firstSeenMs: 1_700_000_100_000, lastSeenMs: 1_700_000_100_000 },
        })
        expect(await store.totals()).toEqual(await sumLedger(store))
      })

      test('reports that come late or twice never lower a counter', async () => {
        const report = (recorded: number, full: number, purged: number) => ({
          streams: [{ id: S1, recorded, dropped: { full, purged }, refused: { bad_time: full } }],
        })
        await store.accept(request([], report(10, 2, 0)))
        await store.accept(request([], report(7, 1, 3)))
        await store.accept(request([], { ...report(10, 2, 3), receivedAtMs: 1_700_000_200_000 }))
        const [row] = await store.ledger()
        expect(row).toMatchObject({
          recorded: 10,
          declared: { full: 2, purged: 3 },
          refused: { bad_time: 2 },
          missing: 5,
        })
        expect(row).toMatchObject({ firstSeenMs: 1_700_000_100_000, lastSeenMs: 1_700_000_200_000 })
      })

      test('a refused number that arrives after all counts as received', async () => {
        const refused = events(0, 5).map(({ stream, seq }) => ({ stream, seq }))
        await store.accept(request([], { streams: [{ id: S1, recorded: 6, dropped: {} }], refused }))
        expect(await store.totals()).toMatchObject({ received: 0, rejected: 6, missing: 0 })
        await store.accept(request(events(2, 3)))
        expect(await store.totals()).toMatchObject({ received: 2, rejected: 4, missing: 0 })
        // And the other way round: what is held cannot be refused any more.
        await store.accept(request([], { refused: [{ stream: S1, seq: 2 }] }))
        expect(await store.totals()).toMatchObject({ received: 2, rejected: 4, missing: 0 })
      })

      test('declared numbers that arrive after all are not counted twice', async () => {
        const streams = [{ id: S1, recorded: 5, dropped: { outbox_full: 1, purged: 1 } }]
        await store.accept(request(events(0, 3), { streams }))
        const [row] = await store.ledger()
        expect(row).toMatchObject({ received: 4, declared: { outbox_full: 1, purged: 0 }, missing: 0 })
        await store.accept(request([event(4)], { streams }))
        expect(await store.totals()).toMatchObject({ recorded: 5, received: 5, declared: 0, missing: 0 })
      })

      test('a client that invents reasons and numbers fills no disk and breaks no sum', async () => {
        for (let i = 0; i < 20; i++) {
          const dropped = Object.fromEntries(Array.from({ length: 20 }, (_, j) => [`reason-${i}-${j}`, 2 ** 52]))
          await store.accept(request([], { streams: [{ id: S1, recorded: Number.MAX_SAFE_INTEGER, dropped }] }))
        }
        const [row] = await store.ledger()
        expect(Object.keys(row?.declared ?? {}).length).toBeLessThan(40)
        await store.accept(request([], { streams: [{ id: S2, recorded: Number.MAX_SAFE_INTEGER, dropped: {} }] }))
        expect((await store.totals()).recorded).toBeGreaterThan(2 ** 53)
      })

      test('filters by account and stream, newest streams first', async () => {
        await store.accept(request([event(0), event(0, { stream: S2 })]))
        await store.accept(request([event(0)], { account: 'other' }))
        expect((await store.ledger({ account: 'acme' })).map(({ stream }) => stream)).toEqual([S2, S1])
        expect(await store.ledger({ stream: S1 })).toHaveLength(2)
        expect(await store.ledger({ stream: S1, account: 'other' })).toHaveLength(1)
        expect(await store.ledger({ limit: 1 })).toHaveLength(1)
        expect(await store.ledger({ account: 'nobody' })).toEqual([])
      })
    })

    describe('nonces, secrets, health', () => {
      test('a nonce works once, also after a restart', async () => {
        const same = [store.useNonce('a', 5_000, 1_000), store.useNonce('a', 5_000, 1_000)]
        // Which of two that come at once is the first, no home promises.
        expect((await Promise.all(same)).toSorted()).toEqual([false, true])
        await reopen()
        expect(await store.useNonce('a', 5_000, 5_000)).toBe(false)
        expect(await store.useNonce('b', 5_000, 1_000)).toBe(true)
      })

      test('a secret is made once', async () => {
        const made = await Promise.all(['x', 'y'].map((value) => store.secret('key', async () => value)))
        expect(made[0]).toBe(made[1])
        await reopen()
        expect(await store.secret('key', async () => 'z')).toBe(made[0])
        expect(await store.secret('other', async () => 'z')).toBe('z')
      })

      test('check() passes while the store can write, and everything fails after close()', async () => {
        await store.check()
        await store.close()
        await expect(store.check()).rejects.toMatchObject({ code: 'closed' })
        await expect(store.accept(request(events(0, 1)))).rejects.toMatchObject({ code: 'closed' })
        await expect(store.ledger()).rejects.toMatchObject({ code: 'closed' })
        await store.close()
      })

      test('close() finishes what was begun', async () => {
        const result = store.accept(request(events(0, 1)))
        await store.close()
        expect(await result).toMatchObject({ stored: 2 })
        store = home.open()
        expect(await drain(store)).toEqual(ids(S1, 0, 1))
      })
    })

    const current = (): RelayStore => store
    describePacks(() => home)
    describeKeys(() => home, current, reopen)
    describeDeliveries(current, reopen)
    describeDoubt(current, reopen)
    describeDesk(current, reopen)
    describeProperties(makeHome, runs)
  })
}
