import { describe, expect, test } from 'vitest'
import type { ImportFailure, RelayStore } from '../../src/relay/store/contract.ts'
import { drain, event, events, ids, request, S1, S2, sumLedger, take } from './relay-store-kit.ts'

const HOUR_MS = 3_600_000
const DAY_MS = 24 * HOUR_MS
const T0_MS = 1_700_000_100_000

/** What an operator does: dead letters, lanes, the ledger by hour; and what the upstream reports later. */
export function describeDesk(current: () => RelayStore, reopen: () => Promise<RelayStore>): void {
  /** Numbers from … to of a stream, dead. */
  async function bury(from: number, to: number, parts: { stream?: string; meter?: string; account?: string } = {}) {
    const { stream = S1, meter = 'api_calls', account = 'acme' } = parts
    await current().accept(request(events(from, to, { stream, meter }), { account }))
    const delivery = await take(current(), { lane: meter, owner: `bury ${stream} ${from}` })
    await current().buryDelivery(delivery?.id ?? '', `code ${meter}`, 'why', T0_MS)
  }
  const letterIds = async () => (await current().deadLetters()).map(({ id }) => id)

  describe('dead letters', () => {
    test('are listed newest first, page by page and by filter', async () => {
      await bury(0, 4)
      await bury(0, 1, { stream: S2, meter: 'storage', account: 'other' })
      const store = current()
      const all = await store.deadLetters()
      expect(all.map(({ id }) => id)).toEqual(all.map(({ id }) => id).toSorted((a, b) => b - a))
      expect(all).toHaveLength(7)
      const second = await store.deadLetters({ before: all[1]?.id as number, limit: 3 })
      expect(second).toEqual(all.slice(2, 5))
      for (const [filter, count] of [
        [{ meter: 'storage' }, 2],
        [{ account: 'acme' }, 5],
        [{ stream: S2 }, 2],
        [{ code: 'code api_calls' }, 5],
        [{ code: 'code api_calls', account: 'other' }, 0],
        [{ id: all[3]?.id as number }, 1],
      ] as const)
        expect(await store.deadLetters(filter)).toHaveLength(count)
    })

    test('are edited, keeping what they were, and go back into their lane under the same id', async () => {
      await bury(0, 2)
      const [id] = (await letterIds()).slice(1)
      expect(await current().editDeadLetter(id as number, '{"quantity":7}')).toBe(true)
      expect(await current().editDeadLetter(id as number, '{"quantity":8}')).toBe(true)
      expect(await current().editDeadLetter(9_999, '{}')).toBe(false)
      const store = await reopen()
      expect(await store.deadLetters({ id: id as number })).toMatchObject([
        { data: '{"quantity":8}', originalData: event(1).data },
      ])
      const replayed = await store.replayDeadLetters([id as number, 9_999, id as number])
      expect(replayed).toMatchObject([{ stream: S1, seq: 1 }])
      let data: string | undefined
      const delivery = await take(store, {}, (list) => {
        data = list[0]?.data
        return { taken: 1, body: new Uint8Array(1), rows: 1, bytes: 1, unmappable: [] }
      })
      expect(data).toBe('{"quantity":8}')
      await store.acceptDelivery(delivery?.id ?? '', T0_MS)
      expect(await store.totals()).toMatchObject({ received: 3, dead: 2, forwarded: 1 })
      expect(await store.totals()).toEqual(await sumLedger(store))
      expect(await store.replayDeadLetters([id as number])).toEqual([])
      // It was received long ago: sent again by its agent it stays that.
      expect(await store.accept(request(events(0, 2)))).toMatchObject({ stored: 0, duplicates: 3 })
    })

    test('are replayed by filter, in the order in which they died', async () => {
      await bury(0, 9)
      await bury(0, 1, { stream: S2, account: 'other' })
      const store = current()
      expect(await store.replayDeadLetters({ account: 'acme', limit: 4 })).toHaveLength(4)
      expect(await store.replayDeadLetters({ code: 'none' })).toEqual([])
      expect(await drain(store)).toEqual(ids(S1, 6, 9))
      expect(await store.totals()).toMatchObject({ dead: 8, forwarded: 4 })
    })

    test('that are deleted stay in the ledger as discarded', async () => {
      await bury(0, 4)
      const [first, second] = await letterIds()
      const store = current()
      expect(await store.deleteDeadLetters([first as number, second as number, 9_999])).toBe(2)
      expect(await store.deadLetters()).toHaveLength(3)
      expect(await store.totals()).toMatchObject({ received: 5, dead: 3, discarded: 2, missing: 0 })
      expect(await store.totals()).toEqual(await sumLedger(store))
    })
  })

  describe('an import that failed upstream', () => {
    const failure = (seq: number, parts: Partial<ImportFailure> = {}): ImportFailure => ({
      ...{ mark: `mark ${seq}`, markExpiresAtMs: T0_MS + HOUR_MS, tenant: 'default', account: 'acme', stream: S1, seq },
      ...{ meter: 'api_calls', atMs: 5, data: '{"quantity":1}', needsEdit: false, code: 'import', detail: 'too odd' },
      ...parts,
    })

    test('turns a forwarded event into a dead letter, once', async () => {
      const store = current()
      await store.accept(request(events(0, 4)))
      await drain(store)
      expect(await store.buryForwarded(failure(3), T0_MS)).toBe('buried')
      expect(await store.buryForwarded(failure(3), T0_MS)).toBe('known')
      expect(await store.buryForwarded(failure(3, { mark: 'another report' }), T0_MS)).toBe('known')
      expect(await store.totals()).toMatchObject({ received: 5, forwarded: 4, dead: 1 })
      expect(await store.totals()).toEqual(await sumLedger(store))
      expect(await store.deadLetters()).toMatchObject([
        {
          stream: S1,
          seq: 3,
          account: 'acme',
          device: 'd1',
          data: '{"quantity":1}',
          code: 'import',
          detail: 'too odd',
        },
      ])
      // Replayed and forwarded again: the old report does not kill it again, a new one does.
      await store.replayDeadLetters(await letterIds())
      await drain(store)
      expect(await store.buryForwarded(failure(3), T0_MS)).toBe('known')
      expect(await store.totals()).toMatchObject({ forwarded: 5, dead: 0 })
      expect(await store.buryForwarded(failure(3, { mark: 'later' }), T0_MS)).toBe('buried')
    })

    test('of an event that was never forwarded here changes nothing', async () => {
      const store = current()
      await store.accept(request(events(0, 1)))
      expect(await store.buryForwarded(failure(0), T0_MS)).toBe('unknown')
      await drain(store)
      expect(await store.buryForwarded(failure(2), T0_MS)).toBe('unknown')
      expect(await store.buryForwarded(failure(0, { stream: S2 }), T0_MS)).toBe('unknown')
      expect(await store.buryForwarded(failure(0, { account: 'other' }), T0_MS)).toBe('unknown')
      expect(await store.totals()).toMatchObject({ forwarded: 2, dead: 0 })
    })

    test('without an account counts for the stream’s only one; of two nobody knows', async () => {
      const store = current()
      await store.accept(request(events(0, 1)))
      await drain(store)
      const { account: _, ...unnamed } = failure(0)
      expect(await store.buryForwarded(unnamed, T0_MS)).toBe('buried')
      await store.accept(request(events(0, 1), { account: 'other' }))
      await drain(store)
      expect(await store.buryForwarded({ ...unnamed, seq: 1 }, T0_MS)).toBe('unknown')
    })

    test('with half its data is not replayed before it is edited', async () => {
      const store = current()
      await store.accept(request(events(0, 0)))
      await drain(store)
      await store.buryForwarded(failure(0, { needsEdit: true }), T0_MS)
      const [id] = (await letterIds()) as [number]
      expect(await store.deadLetters()).toMatchObject([{ needsEdit: true }])
      expect(await store.replayDeadLetters([id])).toEqual([])
      await store.editDeadLetter(id, '{"quantity":2}')
      expect(await store.replayDeadLetters([id])).toHaveLength(1)
      expect(await drain(store)).toEqual(ids(S1, 0, 0))
    })
  })

  describe('lanes', () => {
    test('stay paused over a restart, until they are resumed', async () => {
      await current().accept(request(events(0, 1)))
      await current().pauseLane('api_calls', 'prices are wrong', T0_MS)
      await current().pauseLane('storage', 'not yet', T0_MS + 1)
      const store = await reopen()
      expect((await store.backlog()).map(({ lane, waiting, paused }) => ({ lane, waiting, paused }))).toEqual([
        { lane: 'api_calls', waiting: 2, paused: { reason: 'prices are wrong', sinceMs: T0_MS } },
        { lane: 'storage', waiting: 0, paused: { reason: 'not yet', sinceMs: T0_MS + 1 } },
      ])
      expect(await store.resumeLane('storage')).toBe(true)
      expect(await store.resumeLane('storage')).toBe(false)
      expect(await store.resumeLane('unknown')).toBe(false)
      expect((await store.backlog())[1]).toEqual({ lane: 'storage', waiting: 0, inDelivery: 0, parked: 0 })
    })

    test('say since when their oldest event waits', async () => {
      const store = current()
      await store.accept(request(events(0, 0), { receivedAtMs: 5_000 }))
      await store.accept(request(events(1, 1), { receivedAtMs: 6_000 }))
      expect(await store.backlog()).toMatchObject([{ oldestReceivedAtMs: 5_000 }])
      const delivery = await take(store, { maxEvents: 1 })
      expect(await store.backlog()).toMatchObject([{ oldestReceivedAtMs: 5_000 }])
      await store.acceptDelivery(delivery?.id ?? '', T0_MS)
      expect(await store.backlog()).toMatchObject([{ oldestReceivedAtMs: 6_000 }])
    })
  })

  describe('the ledger by hour', () => {
    test('says what happened when, by account and meter, and adds up to the totals', async () => {
      const store = current()
      const at = (hours: number): number => Math.floor(T0_MS / HOUR_MS) * HOUR_MS + hours * HOUR_MS + 1
      const list = [...events(0, 4), event(5, { meter: 'storage' })]
      await store.accept(request(list, { receivedAtMs: at(0) }))
      await store.accept(request(events(0, 1, { stream: S2 }), { account: 'other', receivedAtMs: at(0) }))
      await store.accept(
        request([event(6, { idempotencyKey: 'a' }), event(7, { idempotencyKey: 'a' })], { receivedAtMs: at(1) }),
      )
      const delivery = await take(store, { maxEvents: 4 })
      await store.acceptDelivery(delivery?.id ?? '', at(1))
      const second = await take(store, { maxEvents: 2 })
      await store.buryDelivery(second?.id ?? '', 'x', '', at(2))
      const who = { tenant: 'default', account: 'acme', meter: 'api_calls' }
      const none = { received: 0, forwarded: 0, importFailed: 0, dead: 0, deduplicated: 0 }
      const rows = [
        { ...who, hourMs: at(0) - 1, ...none, received: 5 },
        { ...who, meter: 'storage', hourMs: at(0) - 1, ...none, received: 1 },
        { ...who, account: 'other', hourMs: at(0) - 1, ...none, received: 2 },
        { ...who, hourMs: at(1) - 1, ...none, received: 2, forwarded: 4, deduplicated: 1 },
        { ...who, hourMs: at(2) - 1, ...none, dead: 1 },
        { ...who, account: 'other', hourMs: at(2) - 1, ...none, dead: 1 },
      ]
      expect(await store.ledgerByHour()).toEqual(rows)
      expect(await store.ledgerByHour({ account: 'other' })).toEqual([rows[2], rows[5]])
      expect(await store.ledgerByHour({ meter: 'storage' })).toEqual([rows[1]])
      expect(await store.ledgerByHour({ fromMs: at(1) - 1, untilMs: at(2) - 1 })).toEqual([rows[3]])
      expect(await store.ledgerByHour({ limit: 2 })).toEqual(rows.slice(0, 2))
      const totals = await store.totals()
      for (const key of ['received', 'forwarded', 'dead', 'deduplicated'] as const) {
        expect(rows.reduce((sum, row) => sum + row[key], 0)).toBe(totals[key])
      }
      // A dead letter that is replayed takes its count back; forwarding that failed later stays forwarding.
      await store.replayDeadLetters({ account: 'acme' })
      const third = await take(store, { nowMs: at(3) })
      await store.acceptDelivery(third?.id ?? '', at(2))
      const marks = { mark: 'a', markExpiresAtMs: 1e15, needsEdit: false, code: 'import', detail: '' }
      const failed = { tenant: 'default', stream: S1, seq: 0, meter: 'api_calls', atMs: 1, data: '1', ...marks }
      expect(await store.buryForwarded(failed, at(3))).toBe('buried')
      const now = await store.ledgerByHour({ account: 'acme', meter: 'api_calls' })
      const sum = (key: 'forwarded' | 'importFailed' | 'dead'): number => now.reduce((all, row) => all + row[key], 0)
      const [row] = await store.ledger({ stream: S1 })
      expect(now.find(({ hourMs }) => hourMs === at(3) - 1)).toMatchObject({ forwarded: 0, importFailed: 1, dead: 1 })
      expect([sum('forwarded') - sum('importFailed'), sum('dead')]).toEqual([row?.forwarded, row?.dead])
    })

    test('is kept for a bounded time', async () => {
      const store = current()
      const onDay = (day: number, seq: number) =>
        store.accept(request([event(seq)], { receivedAtMs: T0_MS + day * DAY_MS }))
      await onDay(0, 0)
      await onDay(99, 1)
      expect(await store.ledgerByHour()).toHaveLength(2)
      await onDay(101, 2)
      expect((await store.ledgerByHour()).map(({ hourMs }) => Math.ceil((hourMs - T0_MS) / DAY_MS))).toEqual([99, 101])
    })

    test('survives a clock that is far ahead for a while', async () => {
      const store = current()
      for (let day = 0; day < 10; day++) {
        await store.accept(request([event(2 * day)], { receivedAtMs: T0_MS + day * DAY_MS }))
      }
      await store.accept(request([event(1)], { receivedAtMs: T0_MS + 10_000 * DAY_MS }))
      expect(await store.ledgerByHour()).toHaveLength(10)
    })
  })

  test('notes are kept', async () => {
    expect(await current().note('a')).toBeUndefined()
    await current().setNote('a', '1')
    await current().setNote('a', '2')
    expect(await (await reopen()).note('a')).toBe('2')
  })
}
