import { beforeEach, describe, expect, test } from 'vitest'
import type { Outbox } from '../../src/outbox/contract.ts'
import { streamId, UsageOwner } from '../support/usage-owner.ts'
import { CLAIM_ALL, claimOf, events, nothing, numbersOf, received, rejecting, waitingByEquation } from './outbox-kit.ts'

/** Dead letters that are sent again. */
export function deadLetterContract(get: () => Outbox): void {
  describe('retryDeadLetters', () => {
    let outbox: Outbox
    beforeEach(() => {
      outbox = get()
    })

    test('moves letters back under their numbers, with their exact text', async () => {
      const one = new UsageOwner(streamId(1), 'acme')
      await outbox.append(one.group(events(5)))
      await outbox.settle({ ...rejecting(await claimOf(outbox), 1, 3), received: { [one.stream]: [[0, 9]] } })
      const letters = await outbox.deadLetters()
      expect(await outbox.retryDeadLetters([...letters, { stream: 'nobody', seq: 1 }])).toBe(2)
      expect(await outbox.deadLetters()).toEqual([])
      expect(await outbox.streams()).toMatchObject([{ recorded: 5, settled: 3, dead: 0 }])
      const claim = await claimOf(outbox)
      expect(numbersOf(claim)).toEqual(['1:1+1', '1:3+1'])
      expect(claim.segments.map(({ body }) => body)).toEqual([one.texts[1], one.texts[3]])
      expect(await outbox.totals()).toEqual({
        events: 2,
        bytes: claim.segments.reduce((sum, { bytes }) => sum + bytes, 0),
        deadLetters: 0,
      })
      expect(await outbox.settle(received(claim))).toEqual({ received: 2, dead: [] })
      expect(await outbox.streams()).toMatchObject([{ recorded: 5, settled: 5, dead: 0 }])
      expect(await outbox.claim(CLAIM_ALL)).toBeUndefined()
      expect(await waitingByEquation(outbox)).toBe(0)
    })

    test('takes one letter of several, once', async () => {
      const one = new UsageOwner(streamId(1), 'acme')
      await outbox.append(one.group(events(3)))
      await outbox.settle(rejecting(await claimOf(outbox), 0, 1, 2))
      const letter = { stream: one.stream, seq: 1 }
      expect(await outbox.retryDeadLetters([letter, letter])).toBe(1)
      expect(await outbox.retryDeadLetters([letter])).toBe(0)
      expect(numbersOf(await claimOf(outbox))).toEqual(['1:1+1'])
      expect(await outbox.totals()).toMatchObject({ events: 1, deadLetters: 2 })
      expect(await outbox.streams()).toMatchObject([{ recorded: 3, dead: 2 }])
    })

    test('lets a letter die again', async () => {
      await outbox.append(new UsageOwner(streamId(1), 'acme').group(events(1)))
      await outbox.settle(rejecting(await claimOf(outbox), 0))
      await outbox.retryDeadLetters(await outbox.deadLetters())
      expect((await outbox.settle(rejecting(await claimOf(outbox), 0))).dead).toHaveLength(1)
      expect(await outbox.streams()).toMatchObject([{ recorded: 1, dead: 1 }])
      expect(await waitingByEquation(outbox)).toBe(0)
    })

    test('loses nothing of what was appended twice', async () => {
      const one = new UsageOwner(streamId(1), 'acme')
      const group = one.group(events(3))
      await outbox.append(group)
      await outbox.settle(rejecting(await claimOf(outbox), 0))
      await outbox.append(group)
      await outbox.retryDeadLetters([{ stream: one.stream, seq: 0 }])
      const bodies = (await claimOf(outbox)).segments.map(({ body }) => body).join()
      for (const text of one.texts) expect(bodies).toContain(text)
      expect(await outbox.totals()).toMatchObject({ events: 3, deadLetters: 0 })
    })

    test('does not retry what was deleted', async () => {
      await outbox.append(new UsageOwner(streamId(1), 'acme').group(events(1)))
      await outbox.settle(rejecting(await claimOf(outbox), 0))
      const letters = await outbox.deadLetters()
      await outbox.deleteDeadLetters(letters)
      expect(await outbox.retryDeadLetters(letters)).toBe(0)
      expect(await outbox.streams()).toMatchObject([{ recorded: 1, dead: 1 }])
      expect(await outbox.claim(CLAIM_ALL)).toBeUndefined()
    })
  })

  describe('dropOldest', () => {
    let outbox: Outbox
    beforeEach(() => {
      outbox = get()
    })
    const drop = (bytes: number, accountTag?: string) =>
      outbox.dropOldest({ bytes, reason: 'budget', nowMs: CLAIM_ALL.nowMs, ...(accountTag ? { accountTag } : {}) })

    test('drops whole segments, oldest stream first, until enough is freed', async () => {
      const [older, newer] = [new UsageOwner(streamId(1), 'acme'), new UsageOwner(streamId(2), 'acme')]
      await outbox.append(newer.group(events(4), { perSegment: 2 }))
      const group = older.group(events(4), { perSegment: 2 })
      await outbox.append(group)
      const [first, second] = group.segments.map(({ bytes }) => bytes) as [number, number]
      const before = await outbox.totals()
      expect(await drop(first + 1)).toBe(4)
      expect(numbersOf(await claimOf(outbox))).toEqual(['2:0+2', '2:2+2'])
      expect(await outbox.totals()).toEqual({ events: 4, bytes: before.bytes - first - second, deadLetters: 0 })
      expect((await claimOf(outbox)).reports).toEqual([
        { id: newer.stream, recorded: 4, dropped: {} },
        { id: older.stream, recorded: 4, dropped: { budget: 4 } },
      ])
      expect(await drop(1)).toBe(2)
      expect(numbersOf(await claimOf(outbox))).toEqual(['2:2+2'])
      expect(await drop(1e9)).toBe(2)
      expect(await drop(1e9)).toBe(0)
      expect(await waitingByEquation(outbox)).toBe(0)
    })

    test('drops nothing for nothing', async () => {
      await outbox.append(new UsageOwner(streamId(1), 'acme').group(events(1)))
      expect(await drop(0)).toBe(0)
      expect(numbersOf(await claimOf(outbox))).toEqual(['1:0+1'])
    })

    test('leaves what is leased, deferred, or another account’s', async () => {
      const [one, other] = [new UsageOwner(streamId(2), 'acme'), new UsageOwner(streamId(1), 'globex')]
      await outbox.append(other.group(events(2)))
      await outbox.append(one.group(events(4), { perSegment: 1 }))
      const deferred = [{ stream: one.stream, from: 2, to: 2, delayMs: 60_000 }]
      await outbox.settle({ ...nothing(await claimOf(outbox)), deferred })
      const leased = await claimOf(outbox, { maxEvents: 1, leaseMs: 1_000 })
      expect(numbersOf(leased)).toEqual(['2:0+1'])
      expect(await drop(1e9, 'acme')).toBe(2)
      expect(numbersOf(await claimOf(outbox, { nowMs: CLAIM_ALL.nowMs + 60_000 }))).toEqual(['2:0+1', '2:2+1'])
      expect(numbersOf(await claimOf(outbox, { accountTag: 'globex' }))).toEqual(['1:0+2'])
      expect(await outbox.settle(received(leased))).toEqual({ received: 1, dead: [] })
      expect((await outbox.totals()).events).toBe(3)
    })

    test('drops what a lease that is over has hidden', async () => {
      await outbox.append(new UsageOwner(streamId(1), 'acme').group(events(2)))
      const claim = await claimOf(outbox, { leaseMs: 1_000 })
      const later = { bytes: 1, reason: 'budget', nowMs: CLAIM_ALL.nowMs + 1_000 }
      expect(await outbox.dropOldest(later)).toBe(2)
      expect(await outbox.settle(received(claim))).toEqual({ received: 0, dead: [] })
      expect(await outbox.streams()).toMatchObject([{ recorded: 2, settled: 0, dropped: { budget: 2 } }])
    })
  })
}
