import { describe, expect, test } from 'vitest'
import type { Delivery, RelayStore } from '../../src/relay/store/contract.ts'
import { buildIds, drain, event, events, ids, idsOf, request, S1, S2, sumLedger, take } from './relay-store-kit.ts'

/** What the store knows of calls that may have been taken, of events that are late, and of order. */
export function describeDoubt(current: () => RelayStore, reopen: () => Promise<RelayStore>): void {
  const idOf = (delivery: Delivery | undefined): string => delivery?.id ?? ''

  describe('doubt', () => {
    test('begins with the first call that may have been taken, and lasts', async () => {
      const store = current()
      await store.accept(request([event(0, { atMs: 77 }), event(1, { atMs: 55 })]))
      const first = await take(store, { nowMs: 1_000 })
      expect(first).toMatchObject({ oldestAtMs: 55 })
      expect(first).not.toHaveProperty('doubtSinceMs')
      await store.postponeDelivery(idOf(first), 0, 'refused for certain', false)
      const second = await take(store, { nowMs: 2_000 })
      expect(second).not.toHaveProperty('doubtSinceMs')
      await store.postponeDelivery(idOf(second), 0, 'no answer')
      const third = await take(await reopen(), { nowMs: 3_000 })
      expect(third).toMatchObject({ doubtSinceMs: 2_000, oldestAtMs: 55 })
      await current().postponeDelivery(idOf(third), 0, 'refused for certain', false)
      expect(await take(current(), { nowMs: 4_000 })).toMatchObject({ doubtSinceMs: 2_000 })
    })

    test('a claim that ends by itself leaves doubt', async () => {
      const store = current()
      await store.accept(request(events(0, 1)))
      await take(store, { nowMs: 1_000, leaseMs: 10 })
      expect(await take(store, { nowMs: 2_000, leaseMs: 10 })).toMatchObject({ doubtSinceMs: 1_000 })
      expect(await take(store, { nowMs: 3_000, leaseMs: 10 })).toMatchObject({ doubtSinceMs: 1_000 })
    })

    test.each([true, false])('the parts of a split delivery inherit it (this call in doubt: %j)', async (inDoubt) => {
      const store = current()
      await store.accept(request(events(0, 3)))
      const whole = await take(store, { nowMs: 1_000 })
      await store.splitDelivery(idOf(whole), buildIds, inDoubt)
      const part = await take(store, { nowMs: 2_000 })
      expect(part?.doubtSinceMs).toBe(inDoubt ? 1_000 : undefined)
      await store.postponeDelivery(idOf(part), 0, 'no answer')
      const again = await take(store, { nowMs: 3_000 })
      await store.splitDelivery(idOf(again), buildIds, false)
      expect((await take(store, { nowMs: 4_000 }))?.doubtSinceMs).toBe(inDoubt ? 1_000 : 2_000)
    })
  })

  describe('parked deliveries', () => {
    async function park(from: number, to: number): Promise<string> {
      await current().accept(request(events(from, to)))
      const delivery = await take(current(), { owner: `park ${from}` })
      await current().parkDelivery(idOf(delivery), 'may have been taken', 20_000 + from)
      return idOf(delivery)
    }

    test('are not sent any more, and show what is in them', async () => {
      const id = await park(0, 249)
      const other = await park(250, 251)
      const store = await reopen()
      expect(await take(store, { nowMs: 1e12 })).toBeUndefined()
      expect(await store.backlog()).toMatchObject([{ waiting: 0, inDelivery: 0, parked: 252 }])
      expect(await store.parkedDeliveries()).toEqual([
        {
          ...{ id, lane: 'api_calls', rows: 250, attempts: 1, oldestAtMs: event(0).atMs, events: ids(S1, 0, 99) },
          ...{ reason: 'may have been taken', parkedAtMs: 20_000 },
        },
        expect.objectContaining({ id: other, rows: 2, events: ids(S1, 250, 251) }),
      ])
      expect(await store.parkedDeliveries({ lane: 'storage' })).toEqual([])
      expect(await store.parkedDeliveries({ lane: 'api_calls', limit: 1 })).toHaveLength(1)
      expect(await store.totals()).toMatchObject({ received: 252, forwarded: 0, dead: 0 })
    })

    test('are settled by what the operator found out', async () => {
      const [taken, lost, unwanted] = [await park(0, 1), await park(2, 3), await park(4, 5)]
      const store = current()
      expect(await store.resolveParked(taken, 'accepted', 1)).toBe(true)
      expect(await store.resolveParked(lost, 'resend', 1)).toBe(true)
      expect(await store.resolveParked(unwanted, 'bury', 1)).toBe(true)
      for (const id of [taken, lost, unwanted, 'unknown']) {
        expect(await store.resolveParked(id, 'bury', 1)).toBe(false)
      }
      const again = await take(store, { nowMs: 30_000 })
      expect(again && idsOf(again)).toEqual(ids(S1, 2, 3))
      // The operator has cleared the doubt.
      expect(again).not.toHaveProperty('doubtSinceMs')
      await store.acceptDelivery(idOf(again), 1)
      expect(await store.totals()).toMatchObject({ received: 6, forwarded: 4, dead: 2 })
      expect(await store.deadLetters()).toMatchObject([
        { seq: 5, code: 'parked' },
        { seq: 4, code: 'parked', detail: 'may have been taken' },
      ])
      expect(await store.totals()).toEqual(await sumLedger(store))
    })
  })

  describe('late events', () => {
    const late = { lane: 'api_calls:late', beforeMs: 1_000 }
    const old = (seq: number, parts = {}) => event(seq, { atMs: seq, ...parts })

    test('go to their own lane when they are cut, and keep what they are', async () => {
      const store = current()
      await store.accept(request([event(0), old(1), event(2), old(3)]))
      await store.accept(request([old(0, { stream: S2 })], { account: 'other', device: 'd2', receivedAtMs: 9 }))
      const delivery = await take(store, { late })
      expect(delivery && idsOf(delivery)).toEqual([...ids(S1, 0, 0), ...ids(S1, 2, 2)])
      expect(await store.backlog()).toMatchObject([
        { lane: 'api_calls', waiting: 0, inDelivery: 2 },
        { lane: 'api_calls:late', waiting: 3, inDelivery: 0 },
      ])
      await store.acceptDelivery(idOf(delivery), 1)
      let offered: unknown
      const second = await take(await reopen(), { lane: late.lane }, (list) => {
        offered = list
        return buildIds(list)
      })
      const owner = { tenant: 'default', account: 'acme', device: 'd1', receivedAtMs: 1_700_000_100_000 }
      expect(offered).toEqual([
        { ...old(1), ...owner },
        { ...old(3), ...owner },
        { ...old(0, { stream: S2 }), tenant: 'default', account: 'other', device: 'd2', receivedAtMs: 9 },
      ])
      expect(second).toMatchObject({ oldestAtMs: 0 })
      await current().acceptDelivery(idOf(second), 1)
      expect(await current().totals()).toMatchObject({ received: 5, forwarded: 5 })
      expect(await current().totals()).toEqual(await sumLedger(current()))
      expect(await current().ledgerByHour({ meter: 'api_calls:late' })).toEqual([])
    })

    test('alone leave nothing to send in the usual lane', async () => {
      const store = current()
      await store.accept(request([old(0), old(1), old(2)]))
      expect(await take(store, { late, maxEvents: 2 })).toBeUndefined()
      expect(await drain(store, { lane: late.lane })).toEqual(ids(S1, 0, 2))
    })

    test('behind the last event that was used stay where they are', async () => {
      const store = current()
      await store.accept(request([old(0), event(1), old(2), event(3), old(4)]))
      const one = await take(store, { late }, (list) => buildIds(list.slice(0, 1)))
      expect(one && idsOf(one)).toEqual(ids(S1, 1, 1))
      expect(await store.backlog()).toMatchObject([{ waiting: 3 }, { waiting: 1 }])
      await store.acceptDelivery(idOf(one), 1)
      expect(await drain(store, { late })).toEqual(ids(S1, 3, 3))
      expect(await drain(store, { lane: late.lane })).toEqual([...ids(S1, 0, 0), ...ids(S1, 2, 2), ...ids(S1, 4, 4)])
    })
  })

  describe('order', () => {
    test('strict: nothing passes the oldest delivery, due or not, leased or not', async () => {
      const store = current()
      await store.accept(request(events(0, 5)))
      const ordered = { ordered: true, maxEvents: 2 }
      const first = await take(store, { ...ordered })
      expect(await take(store, { ...ordered, owner: 'o2' })).toBeUndefined()
      await store.postponeDelivery(idOf(first), 12_000, 'later')
      expect(await take(store, { ...ordered, nowMs: 11_999 })).toBeUndefined()
      expect(idOf(await take(store, { ...ordered, nowMs: 12_000 }))).toBe(first?.id)
      await store.splitDelivery(idOf(first), buildIds)
      const half = await take(store, { ...ordered, nowMs: 12_000 })
      expect(half && idsOf(half)).toEqual(ids(S1, 0, 0))
      await store.parkDelivery(idOf(half), 'why', 1)
      const rest = await take(store, { ...ordered, nowMs: 12_000 })
      expect(rest && idsOf(rest)).toEqual(ids(S1, 1, 1))
      await store.acceptDelivery(idOf(rest), 1)
      expect(await drain(store, ordered)).toEqual(ids(S1, 2, 5))
    })

    test('nothing new is cut when it is not wanted', async () => {
      const store = current()
      await store.accept(request(events(0, 3)))
      expect(await take(store, { mayCut: false })).toBeUndefined()
      const first = await take(store, { maxEvents: 2 })
      await store.postponeDelivery(idOf(first), 0, '')
      expect(idOf(await take(store, { mayCut: false }))).toBe(first?.id)
    })
  })
}
