import { beforeEach, describe, expect, test } from 'vitest'
import type { AppendGroup, Outbox } from '../../src/outbox/contract.ts'
import { eventText, streamId, UsageOwner } from '../support/usage-owner.ts'
import { CLAIM_ALL, claimOf, events, numbersOf, received, waitingByEquation } from './outbox-kit.ts'

/** Groups that were under way when their page went, as it puts them aside: one. */
function together(...groups: readonly AppendGroup[]): AppendGroup {
  return {
    ...(groups.at(-1) as AppendGroup),
    segments: groups.flatMap(({ segments }) => segments),
    rollups: groups.flatMap(({ rollups = [] }) => rollups),
    closed: groups.flatMap(({ closed = [] }) => closed),
  }
}

/** What a page had under way when it went. */
export function restoreContract(get: () => Outbox): void {
  describe('restore', () => {
    let outbox: Outbox
    let one: UsageOwner
    beforeEach(() => {
      outbox = get()
      one = new UsageOwner(streamId(1), 'acme')
    })

    test('stores what was never stored, whole', async () => {
      const group = together(one.group(events(2)), one.refuse('invalid_data'), one.group(events(3)))
      expect(await outbox.restore(group)).toBe(5)
      const claim = await claimOf(outbox)
      expect(numbersOf(claim)).toEqual(['1:0+2', '1:2+3'])
      expect(claim.segments.map(({ body }) => body).join()).toBe(one.texts.join())
      expect(await outbox.streams()).toMatchObject([{ ...one.head, settled: 0 }])
      expect(await outbox.totals()).toMatchObject({ events: 5, bytes: one.head.bytes })
    })

    test('of what was stored in part, only the rest', async () => {
      const [stored, rest] = [one.group(events(2)), one.group(events(3))]
      await outbox.append(stored)
      await outbox.settle(received(await claimOf(outbox)))
      expect(await outbox.restore(together(stored, rest))).toBe(3)
      const claim = await claimOf(outbox)
      expect(numbersOf(claim)).toEqual(['1:2+3'])
      expect(await outbox.settle(received(claim))).toEqual({ received: 3, dead: [] })
      expect(await outbox.streams()).toMatchObject([{ recorded: 5, settled: 5 }])
      expect(await outbox.totals()).toEqual({ events: 0, bytes: 0, deadLetters: 0 })
    })

    test('of what was stored and sent, nothing: it is not sent again', async () => {
      const group = one.group(events(4))
      await outbox.append(group)
      await outbox.settle(received(await claimOf(outbox)))
      expect(await outbox.restore(group)).toBe(0)
      expect(await outbox.claim(CLAIM_ALL)).toBeUndefined()
      expect(await outbox.streams()).toMatchObject([{ recorded: 4, settled: 4 }])
    })

    test('a second time changes nothing', async () => {
      const group = one.group(events(3))
      expect([await outbox.restore(group), await outbox.restore(group)]).toEqual([3, 0])
      expect(await outbox.totals()).toMatchObject({ events: 3, bytes: one.head.bytes })
      await outbox.settle(received(await claimOf(outbox)))
      expect(await outbox.restore(group)).toBe(0)
      expect(await outbox.claim(CLAIM_ALL)).toBeUndefined()
    })

    test('undoes nothing of what its owner, who lives on, has said since', async () => {
      const [early, late] = [one.group(events(2)), one.group(events(1))]
      await outbox.append(early)
      await outbox.append(late)
      expect(await outbox.restore(early)).toBe(0)
      expect(await outbox.streams()).toMatchObject([one.head])
      expect(numbersOf(await claimOf(outbox))).toEqual(['1:0+2', '1:2+1'])
    })

    test('counts once what its owner stores after all', async () => {
      const group = one.group(events(2))
      expect(await outbox.restore(group)).toBe(2)
      await outbox.settle(received(await claimOf(outbox)))
      await outbox.append(together(group, one.group(events(1))))
      const claim = await claimOf(outbox)
      expect(await outbox.settle(received(claim))).toMatchObject({ received: 1 })
      expect(await outbox.streams()).toMatchObject([{ recorded: 3, settled: 3 }])
      expect(await waitingByEquation(outbox)).toBe(0)
    })

    test('brings back nothing that its owner gave up, or that was purged', async () => {
      const lost = one.group(events(2))
      const { head } = one.drop('outbox_full', 0)
      await outbox.append({ head: { ...head, bytes: 0, dropped: { outbox_full: 2 } }, segments: [], strict: false })
      expect(await outbox.restore(lost)).toBe(0)
      const two = new UsageOwner(streamId(2), 'acme')
      const purged = two.group(events(3))
      await outbox.append(purged)
      await outbox.purge({ reason: 'consent' })
      expect(await outbox.restore(purged)).toBe(0)
      expect((await outbox.claim(CLAIM_ALL))?.segments ?? []).toEqual([])
      expect(await waitingByEquation(outbox)).toBe(0)
    })

    test('stores what could not be stored when a later group was', async () => {
      const group = one.group(events(3))
      await outbox.append(one.group(events(2)))
      expect(await outbox.restore({ ...group, head: one.head })).toBe(3)
      expect(await outbox.restore({ ...group, head: one.head })).toBe(0)
      const claim = await claimOf(outbox)
      expect(numbersOf(claim)).toEqual(['1:0+3', '1:3+2'])
      expect(await outbox.totals()).toMatchObject({ events: 5, bytes: one.head.bytes })
      await outbox.settle(received(claim))
      expect(await outbox.restore({ ...group, head: one.head })).toBe(0)
      expect(await outbox.totals()).toEqual({ events: 0, bytes: 0, deadLetters: 0 })
      expect(await waitingByEquation(outbox)).toBe(0)
    })

    test('tells what was refused, also where no event is missing', async () => {
      await outbox.append(one.group(events(1)))
      expect(await outbox.restore(one.refuse('invalid_data'))).toBe(0)
      expect(await outbox.streams()).toMatchObject([{ recorded: 1, refused: { invalid_data: 1 } }])
    })

    test('closes a window with its last sum, if nobody else has closed it', async () => {
      await outbox.append(one.rollup(eventText('sum 1'), 5_000))
      await outbox.append(one.group(events(1)))
      const last = one.close(0, eventText('sum 2'))
      expect(await outbox.restore(last)).toBe(1)
      expect(await outbox.openRollups()).toEqual([])
      const claim = await claimOf(outbox)
      expect(claim.segments.map(({ body }) => body)).toEqual([eventText('sum 2'), one.texts[1]])
      expect(await outbox.totals()).toMatchObject({ events: 2, bytes: one.head.bytes })
      expect(await outbox.restore(last)).toBe(0)
      await outbox.settle(received(claim))
      expect(await outbox.restore(last)).toBe(0)
      expect(await outbox.claim(CLAIM_ALL)).toBeUndefined()
      expect(await waitingByEquation(outbox)).toBe(0)
    })

    test('leaves a window that another has closed as it is', async () => {
      await outbox.append(one.rollup(eventText('sum 1'), 5_000))
      await outbox.closeRollups({ streams: [one.stream] })
      expect(await outbox.restore(one.close(0, eventText('sum 2')))).toBe(0)
      expect((await claimOf(outbox)).segments.map(({ body }) => body)).toEqual([eventText('sum 1')])
    })

    test('opens a window that was never stored, and leaves the sums of others alone', async () => {
      const first = one.rollup(eventText('sum 1'), 5_000)
      await outbox.append(one.rollup(eventText('sum 2'), 5_000, 0))
      const second = one.rollup(eventText('other'), 6_000)
      expect(await outbox.restore(together(first, second))).toBe(1)
      expect((await outbox.openRollups()).map(({ seq }) => seq)).toEqual([0, 1])
      expect(await outbox.closeRollups({ streams: [one.stream] })).toBe(2)
      expect((await claimOf(outbox)).segments.map(({ body }) => body)).toEqual([eventText('sum 2'), eventText('other')])
      expect(await waitingByEquation(outbox)).toBe(2)
    })

    test('stores once a window that was opened and closed on the way', async () => {
      const group = together(one.rollup(eventText('sum 1'), 5_000), one.close(0, eventText('sum 2')))
      expect(await outbox.restore(group)).toBe(1)
      expect(await outbox.openRollups()).toEqual([])
      expect((await claimOf(outbox)).segments.map(({ body }) => body)).toEqual([eventText('sum 2')])
    })

    test('refuses what would mix accounts or streams', async () => {
      await outbox.append(one.group(events(1)))
      const other = new UsageOwner(one.stream, 'globex')
      await expect(outbox.restore(other.group(events(2)))).rejects.toMatchObject({ code: 'internal' })
      const stray = { ...new UsageOwner(streamId(2), 'acme').group(events(1)), head: one.head }
      await expect(outbox.restore(stray)).rejects.toMatchObject({ code: 'internal' })
      expect(numbersOf(await claimOf(outbox))).toEqual(['1:0+1'])
    })
  })
}
