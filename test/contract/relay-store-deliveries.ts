import { describe, expect, test } from 'vitest'
import type { BuildDelivery, RelayStore } from '../../src/relay/store/contract.ts'
import { buildIds, drain, event, events, ids, idsOf, request, S1, S2, sumLedger, take } from './relay-store-kit.ts'

/** From cut to settlement. */
export function describeDeliveries(current: () => RelayStore, reopen: () => Promise<RelayStore>): void {
  describe('deliveries', () => {
    test('cuts the oldest events of its lane, across requests, up to maxEvents', async () => {
      const store = current()
      await store.accept(request([...events(0, 3), ...events(4, 5, { meter: 'storage' })]))
      await store.accept(request(events(0, 3, { stream: S2 }), { account: 'other', device: 'd2' }))
      const first = await take(store, { maxEvents: 6 })
      expect(first).toMatchObject({ lane: 'api_calls', rows: 6, attempts: 0 })
      expect(first && idsOf(first)).toEqual([...ids(S1, 0, 3), ...ids(S2, 0, 1)])
      expect(await store.backlog()).toEqual([
        { lane: 'api_calls', waiting: 2, inDelivery: 6, parked: 0, oldestReceivedAtMs: 1_700_000_100_000 },
        { lane: 'storage', waiting: 2, inDelivery: 0, parked: 0, oldestReceivedAtMs: 1_700_000_100_000 },
      ])
    })

    test('shows what waits of another account in a lane, beside what is in deliveries', async () => {
      const store = current()
      const others = async (account: string, tenant = 'default', lane = 'api_calls') =>
        (await store.waitingOfOthers(lane, { tenant, account })).map(({ stream, seq }) => `${stream}-${seq}`)
      expect(await others('a')).toEqual([])
      await store.accept(request(events(0, 3), { account: 'a' }))
      expect(await others('a')).toEqual([])
      expect(await others('a', 'another')).toEqual(ids(S1, 0, 3))
      expect(await others('b')).toEqual(ids(S1, 0, 3))
      await store.accept(request([event(4, { meter: 'storage' })], { account: 'b' }))
      expect(await others('a')).toEqual([])
      await store.accept(request(events(0, 3, { stream: S2 }), { account: 'b' }))
      await store.accept(request(events(4, 5, { stream: S2 }), { account: 'b' }))
      const [shown] = await store.waitingOfOthers('api_calls', { tenant: 'default', account: 'a' })
      expect(shown).toMatchObject({ tenant: 'default', account: 'b', stream: S2, seq: 0 })
      expect(await others('a')).toEqual(ids(S2, 0, 3))
      await take(store, { maxEvents: 4 })
      expect(await others('b')).toEqual([])
      expect(await others('a')).toEqual(ids(S2, 0, 3))
      await take(store, { maxEvents: 3, owner: 'o2' })
      expect(await others('a')).toEqual(ids(S2, 3, 3))
      await take(store, { maxEvents: 1, owner: 'o3' })
      expect(await others('a')).toEqual(ids(S2, 4, 5))
      await take(store, { maxEvents: 2, owner: 'o4' })
      expect(await others('a')).toEqual([])
    })

    test('offers the events with whose and when they are', async () => {
      const store = current()
      await store.accept(request([event(3)], { account: 'a', device: 'd', tenant: 't', receivedAtMs: 77 }))
      let offered: unknown
      await take(store, {}, (list) => {
        offered = list
        return buildIds(list)
      })
      expect(offered).toEqual([{ ...event(3), account: 'a', device: 'd', tenant: 't', receivedAtMs: 77 }])
    })

    test('an empty lane and an unknown lane have nothing', async () => {
      const store = current()
      expect(await take(store)).toBeUndefined()
      await store.accept(request(events(0, 0)))
      expect(await take(store, { lane: 'unknown' })).toBeUndefined()
    })

    test('an owner has one delivery of a lane at a time, another owner gets the next', async () => {
      const store = current()
      await store.accept(request(events(0, 5)))
      const mine = await take(store, { maxEvents: 2 })
      expect(await take(store, { maxEvents: 2 })).toBeUndefined()
      const theirs = await take(store, { maxEvents: 2, owner: 'o2' })
      expect(mine && idsOf(mine)).toEqual(ids(S1, 0, 1))
      expect(theirs && idsOf(theirs)).toEqual(ids(S1, 2, 3))
    })

    test('a lease ends by itself, also after a restart, and the bytes are the same', async () => {
      await current().accept(request(events(0, 5)))
      const first = await take(current(), { nowMs: 10_000, leaseMs: 500 })
      const store = await reopen()
      expect(await take(store, { nowMs: 10_499, owner: 'o2' })).toBeUndefined()
      const second = await take(store, { nowMs: 10_500, owner: 'o2' }, () => {
        throw new Error('must not be built again')
      })
      // Nobody knows what the upstream made of the first attempt.
      expect(second).toEqual({ ...first, attempts: 1, doubtSinceMs: 10_000 })
    })

    test('a postponed delivery waits for its time, then comes back with the same bytes', async () => {
      const store = current()
      await store.accept(request(events(0, 5)))
      const first = await take(store, { maxEvents: 4 })
      await store.postponeDelivery(first?.id ?? '', 11_000, 'HTTP 503')
      const meanwhile = await take(store, { nowMs: 10_999 })
      expect(meanwhile && idsOf(meanwhile)).toEqual(ids(S1, 4, 5))
      await store.acceptDelivery(meanwhile?.id ?? '', 10_999)
      expect(await take(store, { nowMs: 11_000 })).toEqual({ ...first, attempts: 1, doubtSinceMs: 10_000 })
    })

    test('the oldest due delivery comes first', async () => {
      const store = current()
      await store.accept(request(events(0, 3)))
      const a = await take(store, { maxEvents: 2 })
      const b = await take(store, { maxEvents: 2, owner: 'o2' })
      await store.postponeDelivery(b?.id ?? '', 10_000, '')
      await store.postponeDelivery(a?.id ?? '', 10_001, '')
      expect((await take(store, { nowMs: 10_001 }))?.id).toBe(a?.id)
    })

    test('accepting counts its events as forwarded, once', async () => {
      const store = current()
      await store.accept(request([...events(0, 2), ...events(0, 1, { stream: S2 })]))
      const delivery = await take(store)
      await store.acceptDelivery(delivery?.id ?? '', 1)
      await store.acceptDelivery(delivery?.id ?? '', 2)
      await store.buryDelivery(delivery?.id ?? '', 'late', '', 3)
      await store.splitDelivery(delivery?.id ?? '', buildIds)
      await store.postponeDelivery(delivery?.id ?? '', 0, '')
      expect((await store.ledger()).map(({ stream, forwarded, dead }) => [stream, forwarded, dead])).toEqual([
        [S2, 2, 0],
        [S1, 3, 0],
      ])
      expect(await store.backlog()).toEqual([{ lane: 'api_calls', waiting: 0, inDelivery: 0, parked: 0 }])
      expect(await store.totals()).toEqual(await sumLedger(store))
      expect(await take(store, { nowMs: 1e12 })).toBeUndefined()
    })

    test('a split keeps the order and leaves nothing out', async () => {
      const store = current()
      await store.accept(request(events(0, 6)))
      await store.accept(request(events(7, 9)))
      const whole = await take(store, { maxEvents: 9 })
      await store.splitDelivery(whole?.id ?? '', buildIds)
      const first = await take(store)
      expect(first).toMatchObject({ rows: 5, attempts: 0 })
      expect(first?.id).not.toBe(whole?.id)
      expect(first && idsOf(first)).toEqual(ids(S1, 0, 4))
      await store.splitDelivery(first?.id ?? '', buildIds)
      expect(await drain(await reopen())).toEqual(ids(S1, 0, 9))
      expect(await current().totals()).toMatchObject({ received: 10, forwarded: 10, dead: 0 })
    })

    test('a split under a tighter limit makes as many deliveries as it takes', async () => {
      const store = current()
      await store.accept(request(events(0, 9)))
      const whole = await take(store)
      const atMost2: BuildDelivery = (list) => buildIds(list.slice(0, 2))
      await store.splitDelivery(whole?.id ?? '', atMost2)
      expect(await store.backlog()).toMatchObject([{ lane: 'api_calls', waiting: 0, inDelivery: 10 }])
      const first = await take(store)
      expect(first && idsOf(first)).toEqual(ids(S1, 0, 1))
      await store.acceptDelivery(first?.id ?? '', 1)
      expect(await drain(store)).toEqual(ids(S1, 2, 9))
    })

    test('one event cannot be split', async () => {
      const store = current()
      await store.accept(request([event(0)]))
      const delivery = await take(store)
      await expect(store.splitDelivery(delivery?.id ?? '', buildIds)).rejects.toMatchObject({ code: 'internal' })
    })

    test('burying keeps the whole event and the reason', async () => {
      const store = current()
      await store.accept(request(events(0, 1), { receivedAtMs: 5 }))
      const delivery = await take(store)
      await store.buryDelivery(delivery?.id ?? '', 'refused', 'Quantity must be positive', 99)
      const letters = await store.deadLetters()
      expect(letters).toEqual(
        [1, 0].map((seq) => ({
          ...event(seq),
          ...{ id: expect.any(Number), tenant: 'default', account: 'acme', device: 'd1', receivedAtMs: 5 },
          ...{ code: 'refused', detail: 'Quantity must be positive', diedAtMs: 99 },
        })),
      )
      expect(await store.deadLetters({ limit: 1 })).toEqual(letters.slice(0, 1))
      expect(await store.totals()).toMatchObject({ received: 2, forwarded: 0, dead: 2 })
    })

    test('events that cannot be mapped die at once, the others go', async () => {
      const store = current()
      await store.accept(request(events(0, 9)))
      const odd: BuildDelivery = (list) => {
        const unmappable = list.flatMap(({ seq }, index) =>
          seq % 2 ? [{ index, code: 'unsupported_text', detail: `no ${seq}` }] : [],
        )
        const good = list.filter(({ seq }) => seq % 2 === 0)
        return { ...buildIds(good), taken: list.length, unmappable }
      }
      const delivery = await take(store, {}, odd)
      expect(delivery).toMatchObject({ rows: 5 })
      expect((await store.deadLetters()).map(({ seq, detail }) => [seq, detail])).toEqual(
        [9, 7, 5, 3, 1].map((seq) => [seq, `no ${seq}`]),
      )
      await store.splitDelivery(delivery?.id ?? '', buildIds)
      expect(await drain(store)).toEqual([0, 2, 4, 6, 8].map((seq) => `${S1}-${seq}`))
      expect(await store.totals()).toMatchObject({ received: 10, forwarded: 5, dead: 5 })
    })

    test('passes over any number of events that cannot be mapped', async () => {
      const store = current()
      await store.accept(request(events(0, 30)))
      const build: BuildDelivery = (list) => {
        if ((list[0]?.seq ?? 0) >= 30) return buildIds(list)
        const unmappable = [{ index: 0, code: 'missing_field', detail: '' }]
        return { taken: 1, body: new Uint8Array(0), rows: 0, bytes: 0, unmappable }
      }
      const delivery = await take(store, {}, build)
      expect(delivery && idsOf(delivery)).toEqual(ids(S1, 30, 30))
      expect(await store.totals()).toMatchObject({ dead: 30, forwarded: 0 })
    })

    test('a builder that throws or miscounts changes nothing', async () => {
      const store = current()
      await store.accept(request(events(0, 3)))
      const wrong: BuildDelivery[] = [
        () => {
          throw new Error('broken')
        },
        (list) => ({ ...buildIds(list), taken: 0 }),
        (list) => ({ ...buildIds(list), taken: 5 }),
        (list) => ({ ...buildIds(list), rows: 3 }),
        (list) => ({ ...buildIds(list), unmappable: [{ index: 4, code: 'x', detail: '' }] }),
      ]
      for (const build of wrong) await expect(take(store, {}, build)).rejects.toMatchObject({ code: 'internal' })
      expect(await drain(store)).toEqual(ids(S1, 0, 3))
    })

    test('memory stays bounded: large events come in several deliveries', async () => {
      const store = current()
      const data = JSON.stringify('x'.repeat(1_000_000))
      await store.accept(request(events(0, 19, { data })))
      const offers: number[] = []
      const first = await take(store, {}, (list) => {
        offers.push(list.length)
        return buildIds(list)
      })
      expect(offers[0]).toBeLessThan(10)
      await store.acceptDelivery(first?.id ?? '', 1)
      expect(await drain(store)).toHaveLength(20 - (first?.rows ?? 0))
    })
  })
}
