import { describe, expect, test } from 'vitest'
import type { AcceptableEvent, AcceptRequest, RelayStore, StoredEvent } from '../../src/relay/store/contract.ts'
import { buildIds, event, events, packed, request, S1, S2, type StoreHome, sumLedger, take } from './relay-store-kit.ts'

const ACCOUNTS = ['singly', 'packed'] as const

/** Packs are a form of their own: what a store makes of them is what it makes of their events. */
export function describePacks(home: () => StoreHome): void {
  describe('packs', () => {
    const mixed = [...events(5, 8), event(9, { meter: 'exports' }), event(10), event(11, { meter: 'exports' })]
    const keyed = (seq: number) => event(seq, { idempotencyKey: 'order' })
    const cases: [name: string, list: AcceptableEvent[], parts?: Partial<AcceptRequest>][] = [
      ['all of it new', events(5, 9)],
      ['held already', events(0, 4)],
      ['an overlap', events(3, 7)],
      ['a gap before it', events(8, 9)],
      ['one more gap than a stream may have', [event(6), event(8), event(9), event(12)]],
      ['two streams', [...events(5, 7), ...events(0, 2, { stream: S2 })]],
      ['two meters in turn', mixed],
      ['a number twice', [event(5), event(6), event(6, { data: '{"quantity":0}' }), event(7)]],
      ['numbers in falling order', events(5, 8).toReversed()],
      ['beside events with a key', [event(5), keyed(6), event(7), keyed(8)]],
      ['beside refused numbers', [event(5), event(8)], { refused: [6, 7, 3].map((seq) => ({ stream: S1, seq })) }],
      ['data of several lines', [event(5, { data: '{\n"quantity":1,\n"note":"a, b"}' }), event(6)]],
      ['data beyond ASCII', [event(5, { data: '{"note":"ü, \\n 😀"}' }), event(6, { atMs: 0 })]],
      ['on hold', events(5, 9), { hold: true }],
      ['on hold, with an overlap', events(3, 7), { hold: true }],
    ]
    test.each(cases)('end as their events do: %s', async (_, list, parts = {}) => {
      const store = home().open({ maxRangesPerStream: 2 })
      for (const account of ACCOUNTS) await store.accept(request(events(0, 4), { account }))
      const [singly, inPacks] = ACCOUNTS.map((account) => request(list, { ...parts, account })) as [
        AcceptRequest,
        AcceptRequest,
      ]
      expect(await store.accept(packed(inPacks))).toEqual(await store.accept(singly))
      for (const account of ACCOUNTS) await store.releaseHeld({ tenant: 'default', account })
      const given = [...(await deliver(store, 'api_calls')), ...(await deliver(store, 'exports'))]
      const [first, second] = ACCOUNTS.map((account) => given.filter((one) => one.account === account).map(plain))
      expect(first?.length).toBeGreaterThanOrEqual(5)
      expect(second).toEqual(first)
      const [row, same] = await Promise.all(ACCOUNTS.map((account) => store.ledger({ account })))
      expect(same?.map(plain)).toEqual(row?.map(plain))
      expect(await store.totals()).toEqual(await sumLedger(store))
      expect(await home().verify()).toEqual([])
      await store.close()
    })
  })
}

/** Everything of a lane, by number, as it is given to the builder. */
async function deliver(store: RelayStore, lane: string): Promise<StoredEvent[]> {
  const all: StoredEvent[] = []
  for (;;) {
    const delivery = await take(store, { lane }, (list) => {
      all.push(...list)
      return buildIds(list)
    })
    if (!delivery) return all.toSorted((a, b) => (a.stream === b.stream ? a.seq - b.seq : a.stream < b.stream ? -1 : 1))
    await store.acceptDelivery(delivery.id, 10_000)
  }
}

function plain<T extends { account: string }>({ account: _, ...rest }: T): Omit<T, 'account'> {
  return rest
}
