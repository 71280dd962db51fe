import { beforeEach, describe, expect, test } from 'vitest'
import type { AppendGroup, Outbox, Rollup } from '../../src/outbox/contract.ts'
import { eventText, streamId, UsageOwner } from '../support/usage-owner.ts'
import { CLAIM_ALL, claimOf, events, nothing, numbersOf, received, waitingByEquation } from './outbox-kit.ts'

/** Running sums: written again and again under one number, sent once. */
export function rollupContract(get: () => Outbox): void {
  describe('roll-ups', () => {
    let outbox: Outbox
    let one: UsageOwner
    beforeEach(() => {
      outbox = get()
      one = new UsageOwner(streamId(1), 'acme')
    })

    test('wait without being sent, and the newest sum is the one that is', async () => {
      await outbox.append(one.rollup(eventText('sum 1'), 5_000))
      await outbox.append(one.group(events(2)))
      await outbox.append(one.rollup(eventText('sum 2'), 5_000, 0))
      expect(await outbox.openRollups()).toEqual([{ stream: one.stream, seq: 0, closesAtMs: 5_000 }])
      expect(await outbox.totals()).toMatchObject({ events: 3 })
      expect(numbersOf(await claimOf(outbox))).toEqual(['1:1+2'])
      expect(await outbox.closeRollups({ streams: [one.stream] })).toBe(1)
      expect(await outbox.openRollups()).toEqual([])
      const claim = await claimOf(outbox)
      expect(numbersOf(claim)).toEqual(['1:0+1', '1:1+2'])
      expect(claim.segments[0]?.body).toBe(eventText('sum 2'))
      const bytes = claim.segments.reduce((sum, each) => sum + each.bytes, 0)
      expect(await outbox.totals()).toEqual({ events: 3, bytes, deadLetters: 0 })
      expect(await outbox.settle(received(claim))).toEqual({ received: 3, dead: [] })
      expect(await outbox.totals()).toEqual({ events: 0, bytes: 0, deadLetters: 0 })
      expect(await waitingByEquation(outbox)).toBe(0)
    })

    test('are closed by their owner in one step with the event', async () => {
      await outbox.append(one.rollup(eventText('sum 1'), 5_000))
      await outbox.append(one.rollup(eventText('other'), 6_000))
      await outbox.append(one.close(0, eventText('sum 9')))
      expect(await outbox.openRollups()).toEqual([{ stream: one.stream, seq: 1, closesAtMs: 6_000 }])
      const claim = await claimOf(outbox)
      expect(claim.segments.map(({ body }) => body)).toEqual([eventText('sum 9')])
      expect(await outbox.closeRollups({ streams: [one.stream] })).toBe(1)
      expect(numbersOf(await claimOf(outbox))).toEqual(['1:0+1', '1:1+1'])
      expect(await waitingByEquation(outbox)).toBe(2)
    })

    test('are closed for the streams named only', async () => {
      const two = new UsageOwner(streamId(2), 'acme')
      await outbox.append(one.rollup(eventText('one'), 5_000))
      await outbox.append(two.rollup(eventText('two'), 5_000))
      expect(await outbox.closeRollups({ streams: [two.stream, 'nobody'] })).toBe(1)
      expect(await outbox.closeRollups({ streams: [two.stream] })).toBe(0)
      expect(numbersOf(await claimOf(outbox))).toEqual(['2:0+1'])
      expect((await outbox.openRollups()).map(({ stream }) => stream)).toEqual([one.stream])
    })

    test('of an owner that was taken for dead are not sent a second time', async () => {
      await outbox.append(one.rollup(eventText('sum 1'), 5_000))
      await outbox.closeRollups({ streams: [one.stream] })
      await outbox.settle(received(await claimOf(outbox)))
      await outbox.append(one.rollup(eventText('sum 2'), 5_000, 0))
      expect(await outbox.closeRollups({ streams: [one.stream] })).toBe(0)
      expect(await outbox.claim(CLAIM_ALL)).toBeUndefined()
      expect(await outbox.openRollups()).toEqual([])
      expect(await outbox.streams()).toMatchObject([{ recorded: 1, settled: 1 }])
    })

    test('closed twice before they were sent keep the newer sum', async () => {
      await outbox.append(one.rollup(eventText('sum 1'), 5_000))
      await outbox.closeRollups({ streams: [one.stream] })
      await outbox.append(one.rollup(eventText('sum 2'), 5_000, 0))
      expect(await outbox.closeRollups({ streams: [one.stream] })).toBe(0)
      const claim = await claimOf(outbox)
      expect(claim.segments.map(({ body }) => body)).toEqual([eventText('sum 2')])
      expect(await outbox.totals()).toMatchObject({ events: 1, bytes: claim.segments[0]?.bytes })
    })

    test('whose event was stored without closing them do not overwrite its neighbours', async () => {
      await outbox.append(one.rollup(eventText('sum 1'), 5_000))
      const [next] = one.group(events(1)).segments
      const body = `${eventText('sum 2')},${next?.body}`
      const segments = [{ stream: one.stream, first: 0, count: 2, bytes: body.length, body }]
      await outbox.append({ head: one.head, segments, strict: false })
      expect(await outbox.closeRollups({ streams: [one.stream] })).toBe(0)
      expect((await claimOf(outbox)).segments).toEqual(segments)
      expect(await outbox.openRollups()).toEqual([])
    })

    test('are purged with their account', async () => {
      const other = new UsageOwner(streamId(2), 'globex')
      await outbox.append(one.rollup(eventText('one'), 5_000))
      await outbox.append(one.group(events(2)))
      await outbox.append(other.rollup(eventText('other'), 5_000))
      expect(await outbox.purge({ reason: 'consent', accountTag: 'acme' })).toBe(3)
      expect((await outbox.openRollups()).map(({ stream }) => stream)).toEqual([other.stream])
      expect(await outbox.streams()).toMatchObject([{ recorded: 3, dropped: { consent: 3 } }, { recorded: 1 }])
      expect(await outbox.purge({ reason: 'consent' })).toBe(1)
      expect(await outbox.openRollups()).toEqual([])
      expect(await waitingByEquation(outbox)).toBe(0)
    })

    test('stay when room is made', async () => {
      await outbox.append(one.rollup(eventText('one'), 5_000))
      await outbox.append(one.group(events(2)))
      expect(await outbox.dropOldest({ bytes: 1e9, reason: 'budget', nowMs: CLAIM_ALL.nowMs })).toBe(2)
      expect(await outbox.openRollups()).toHaveLength(1)
      expect(await waitingByEquation(outbox)).toBe(1)
    })

    test('of another stream or tag are refused', async () => {
      const stray = (change: Partial<Rollup>): AppendGroup => {
        const group = new UsageOwner(streamId(1), 'acme').rollup(eventText('sum'), 5_000)
        return { ...group, rollups: (group.rollups ?? []).map((rollup) => ({ ...rollup, ...change })) }
      }
      await expect(outbox.append(stray({ stream: streamId(2) }))).rejects.toMatchObject({ code: 'internal' })
      await expect(outbox.append(stray({ accountTag: 'globex' }))).rejects.toMatchObject({ code: 'internal' })
      expect(await outbox.openRollups()).toEqual([])
    })

    test('alone make a report, no segment', async () => {
      await outbox.append(one.rollup(eventText('one'), 5_000))
      const claim = await claimOf(outbox)
      expect(claim).toEqual({ segments: [], reports: [{ id: one.stream, recorded: 1, dropped: {} }], more: false })
      await outbox.settle(nothing(claim))
      expect(await outbox.claim(CLAIM_ALL)).toBeUndefined()
      expect((await outbox.totals()).events).toBe(1)
    })
  })
}
