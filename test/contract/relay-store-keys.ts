import { describe, expect, test } from 'vitest'
import type { RelayStore } from '../../src/relay/store/contract.ts'
import { drain, event, ids, request, S1, S2, type StoreHome, sumLedger } from './relay-store-kit.ts'

const DAY_MS = 86_400_000
const DAY_0_MS = Date.UTC(2026, 0, 1, 12)

/** Business-level de-duplication: of an account's events with one idempotency key, one is forwarded. */
export function describeKeys(
  home: () => StoreHome,
  current: () => RelayStore,
  reopen: () => Promise<RelayStore>,
): void {
  describe('idempotency keys', () => {
    const keyed = (seq: number, idempotencyKey: string, stream = S1) => event(seq, { idempotencyKey, stream })

    test('an event whose key is known is received, and not forwarded', async () => {
      const store = current()
      await store.accept(request([keyed(0, 'order 1'), event(1)]))
      const second = await store.accept(request([keyed(2, 'order 1'), keyed(3, 'order 2')]))
      expect(second).toMatchObject({ stored: 1, duplicates: 0, deduplicated: 1, received: { [S1]: [[0, 3]] } })
      expect(await drain(store)).toEqual([...ids(S1, 0, 1), ...ids(S1, 3, 3)])
      expect(await store.totals()).toMatchObject({ received: 4, forwarded: 3, deduplicated: 1, missing: 0 })
      expect(await store.totals()).toEqual(await sumLedger(store))
    })

    test('of one batch the first is taken; across streams and devices too', async () => {
      const store = current()
      const first = await store.accept(request([keyed(0, 'a'), keyed(1, 'a'), keyed(0, 'a', S2)]))
      expect(first).toMatchObject({ stored: 1, deduplicated: 2 })
      expect(await store.accept(request([keyed(1, 'a', S2)], { device: 'd2' }))).toMatchObject({ deduplicated: 1 })
      expect(await drain(store)).toEqual(ids(S1, 0, 0))
      const rows = await store.ledger()
      expect(rows.map(({ stream, deduplicated }) => [stream, deduplicated])).toEqual([
        [S2, 2],
        [S1, 1],
      ])
    })

    test('the same event sent again is a duplicate by its number, not by its key', async () => {
      const store = current()
      await store.accept(request([keyed(0, 'a'), keyed(1, 'a')]))
      const again = await store.accept(request([keyed(0, 'a'), keyed(1, 'a')]))
      expect(again).toMatchObject({ stored: 0, duplicates: 2, deduplicated: 0 })
      expect(await store.totals()).toMatchObject({ received: 2, deduplicated: 1 })
    })

    test('keys are an account’s own, whatever the meter', async () => {
      const store = current()
      await store.accept(request([keyed(0, 'a')]))
      expect(await store.accept(request([keyed(0, 'a')], { account: 'other' }))).toMatchObject({ stored: 1 })
      expect(await store.accept(request([keyed(0, 'a')], { tenant: 'other' }))).toMatchObject({ stored: 1 })
      expect(
        await store.accept(request([event(1, { idempotencyKey: 'a', meter: 'storage' }), keyed(2, 'A')])),
      ).toMatchObject({ stored: 1, deduplicated: 1 })
    })

    test('requests of one turn see each other’s keys, and a request that fails leaves none behind', async () => {
      const store = current()
      const bad = [keyed(5, 'b'), event(6, { seq: -1 })]
      const [first, second, failed, third] = await Promise.allSettled(
        [[keyed(0, 'a')], [keyed(1, 'a')], bad, [keyed(2, 'b')]].map((list) => store.accept(request(list))),
      )
      expect([first, second, failed, third].map((result) => result?.status)).toEqual([
        ...['fulfilled', 'fulfilled', 'rejected', 'fulfilled'],
      ])
      expect(second).toMatchObject({ value: { stored: 0, deduplicated: 1 } })
      expect(third).toMatchObject({ value: { stored: 1, deduplicated: 0 } })
    })

    test('are known after a restart, and for the whole window of days', async () => {
      await current().close()
      const days = (n: number) => ({ receivedAtMs: DAY_0_MS + n * DAY_MS })
      let store = home().open({ idempotencyWindowDays: 3 })
      await store.accept(request([keyed(0, 'a')], days(0)))
      for (let day = 1; day <= 3; day++) {
        await store.close()
        store = home().open({ idempotencyWindowDays: 3 })
        expect(await store.accept(request([keyed(day, 'a')], days(day)))).toMatchObject({ deduplicated: 1 })
        await store.accept(request([keyed(100 + 2 * day, `of day ${day}`)], days(day)))
      }
      // Four days later the key is past the window; the next day's is not.
      expect(await store.accept(request([keyed(50, 'a')], days(4)))).toMatchObject({ stored: 1, deduplicated: 0 })
      expect(await store.accept(request([keyed(52, 'of day 1')], days(4)))).toMatchObject({ deduplicated: 1 })
      await store.close()
      await reopen()
    })

    test('a clock that is far ahead for a while costs nothing but that while', async () => {
      await current().close()
      const store = home().open({ idempotencyWindowDays: 60 })
      const on = (day: number) => ({ receivedAtMs: DAY_0_MS + day * DAY_MS })
      for (let day = 0; day < 10; day++) await store.accept(request([keyed(2 * day, `day ${day}`)], on(day)))
      await store.accept(request([keyed(100, 'far')], on(1_000)))
      // Back again: all but the two oldest days are remembered.
      for (let day = 2; day < 10; day++) {
        const again = await store.accept(request([keyed(200 + 2 * day, `day ${day}`)], on(10)))
        expect(again).toMatchObject({ deduplicated: 1 })
      }
      expect(await store.accept(request([keyed(300, 'far')], on(10)))).toMatchObject({ deduplicated: 1 })
      await store.close()
      await reopen()
    })

    test('a window of years is looked through, table by table', async () => {
      await current().close()
      const store = home().open({ idempotencyWindowDays: 3_000 })
      for (let day = 0; day < 230; day++) {
        const receivedAtMs = DAY_0_MS + day * DAY_MS
        await store.accept(request([keyed(2 * day, `day ${day}`)], { receivedAtMs }))
      }
      const last = { receivedAtMs: DAY_0_MS + 229 * DAY_MS }
      for (const day of [0, 199, 200, 229]) {
        expect(await store.accept(request([keyed(2 * day + 1, `day ${day}`)], last))).toMatchObject({ deduplicated: 1 })
      }
      await store.close()
      await reopen()
    })

    test('a key stays known when its event is on hold or dies', async () => {
      const store = current()
      await store.accept(request([keyed(0, 'a')], { hold: true }))
      expect(await store.accept(request([keyed(1, 'a')]))).toMatchObject({ deduplicated: 1 })
      expect(await store.totals()).toMatchObject({ received: 2, held: 1, deduplicated: 1 })
    })
  })

  describe('events on hold', () => {
    const owner = { tenant: 'default', account: 'acme' }

    test('are acknowledged and de-duplicated, and no lane sees them before they are released', async () => {
      const list = [event(0), event(1), event(2, { meter: 'storage' })]
      expect(await current().accept(request(list, { hold: true }))).toMatchObject({
        ...{ stored: 3, received: { [S1]: [[0, 2]] } },
      })
      const store = await reopen()
      expect(await store.accept(request(list))).toMatchObject({ stored: 0, duplicates: 3 })
      expect(await drain(store)).toEqual([])
      expect(await store.totals()).toMatchObject({ received: 3, held: 3, forwarded: 0, missing: 0 })
      expect(await store.heldEvents()).toEqual([
        { ...owner, meter: 'api_calls', events: 2, sinceMs: 1_700_000_100_000 },
        { ...owner, meter: 'storage', events: 1, sinceMs: 1_700_000_100_000 },
      ])
      expect(await store.releaseHeld(owner)).toBe(3)
      expect(await store.heldEvents()).toEqual([])
      expect(await drain(store)).toEqual(ids(S1, 0, 1))
      expect(await drain(store, { lane: 'storage' })).toEqual(ids(S1, 2, 2))
      expect(await store.totals()).toMatchObject({ received: 3, held: 0, forwarded: 3 })
      expect(await store.totals()).toEqual(await sumLedger(store))
    })

    test('are released for their account only, in order, however many, and once', async () => {
      const store = current()
      for (let first = 0; first < 130; first++) await store.accept(request([event(first)], { hold: true }))
      await store.accept(request([event(0, { stream: S2 })], { account: 'other', hold: true }))
      await store.accept(request([event(1, { stream: S2 })], { account: 'other' }))
      expect(await store.heldEvents({ account: 'other' })).toHaveLength(1)
      expect(await store.releaseHeld(owner)).toBe(130)
      expect(await store.releaseHeld(owner)).toBe(0)
      expect(await store.releaseHeld({ ...owner, tenant: 'other' })).toBe(0)
      expect(await drain(store)).toEqual([...ids(S2, 1, 1), ...ids(S1, 0, 129)])
      expect(await store.totals()).toMatchObject({ received: 132, held: 1, forwarded: 131 })
    })
  })
}
