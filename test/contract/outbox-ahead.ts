import { beforeEach, describe, expect, test } from 'vitest'
import type { Claim, Outbox, Settlement } from '../../src/outbox/contract.ts'
import { streamId, UsageOwner } from '../support/usage-owner.ts'
import { CLAIM_ALL, claimOf, events, NOW, nothing, numbersOf, received, rejecting } from './outbox-kit.ts'

const { leaseMs: _, ...NEXT } = CLAIM_ALL

/** What a settlement tells beyond itself, when it is asked to. */
export function aheadContract(get: () => Outbox): void {
  describe('settle, and in the same transaction', () => {
    let outbox: Outbox
    let one: UsageOwner
    const settleOn = (claim: Claim, change: Partial<Settlement> = {}) =>
      outbox.settle({ ...received(claim), next: NEXT, counted: true, ...change })

    beforeEach(async () => {
      outbox = get()
      one = new UsageOwner(streamId(1), 'acme')
      await outbox.append(one.group(events(6), { perSegment: 2 }))
    })

    test('nothing else, unless it is asked for', async () => {
      expect(await outbox.settle(received(await claimOf(outbox, { maxEvents: 2 })))).toEqual({ received: 2, dead: [] })
    })

    test('claims what a claim after it would give, and counts what totals() would', async () => {
      const { next, totals, ...settled } = await settleOn(await claimOf(outbox, { maxEvents: 2 }), {
        next: { ...NEXT, maxEvents: 3 },
      })
      expect(settled).toEqual({ received: 2, dead: [] })
      expect(numbersOf(next)).toEqual(['1:2+2'])
      expect(next).toEqual(await claimOf(outbox, { maxEvents: 3 }))
      expect(next?.more).toBe(true)
      expect(totals).toEqual(await outbox.totals())
      expect(totals?.events).toBe(4)
    })

    test('goes on to the end, byte for byte', async () => {
      const bodies: string[] = []
      let claim: Claim | undefined = await claimOf(outbox, { maxEvents: 1 })
      while (claim) {
        bodies.push(...claim.segments.map(({ body }) => body))
        claim = (await settleOn(claim, { next: { ...NEXT, maxEvents: 1 } })).next
      }
      expect(bodies.join()).toBe(one.texts.join())
      expect(await outbox.totals()).toEqual({ events: 0, bytes: 0, deadLetters: 0 })
      expect(await outbox.claim(CLAIM_ALL)).toBeUndefined()
    })

    test('sees its own verdicts: what was buried or deferred is not claimed, what was kept is', async () => {
      const claim = await claimOf(outbox)
      const { stream } = one
      const { next, totals, dead } = await settleOn(claim, {
        ...rejecting(claim, 0),
        received: { [stream]: [[1, 1]] },
        deferred: [{ stream, from: 2, to: 3, delayMs: 1_000 }],
      })
      expect(dead.map(({ seq }) => seq)).toEqual([0])
      expect(numbersOf(next)).toEqual(['1:4+2'])
      expect(totals).toEqual(await outbox.totals())
      expect(totals).toMatchObject({ events: 4, deadLetters: 1 })
    })

    test('claims for one account alone, and counts all', async () => {
      const other = new UsageOwner(streamId(2), 'globex')
      await outbox.append(other.group(events(3)))
      const { next, totals } = await settleOn(await claimOf(outbox))
      expect(next).toBeUndefined()
      expect(totals).toMatchObject({ events: 3 })
      const others = await settleOn(
        { segments: [], reports: [], more: false },
        { next: { ...NEXT, accountTag: 'globex' } },
      )
      expect(numbersOf(others.next)).toEqual(['2:0+3'])
    })

    test('claims around what another sender has leased, and leases nothing itself', async () => {
      const mine = await claimOf(outbox, { maxEvents: 2 })
      const nowMs = NOW + 1
      // The first two are still visible to this one: it holds no lease.
      expect(numbersOf(await claimOf(outbox, { maxEvents: 4, leaseMs: 60_000, nowMs }))).toEqual(['1:0+2', '1:2+2'])
      const { next } = await settleOn(mine, { next: { ...NEXT, nowMs } })
      expect(numbersOf(next)).toEqual(['1:4+2'])
      expect(numbersOf(await claimOf(outbox, { nowMs }))).toEqual(['1:4+2'])
    })

    test('claims reports that a relay has not acknowledged', async () => {
      const claim = await claimOf(outbox)
      await outbox.append(new UsageOwner(streamId(3), 'acme').refuse('invalid_data'))
      const { next } = await settleOn(claim)
      expect(next).toMatchObject({ segments: [], reports: [{ id: streamId(3), refused: { invalid_data: 1 } }] })
      expect((await settleOn(next as Claim)).next).toBeUndefined()
    })

    test('sets aside what it finds damaged, and claims its neighbours', async () => {
      const two = new UsageOwner(streamId(2), 'acme')
      const { segments, ...group } = two.group(events(4), { perSegment: 2 })
      const spoilt = segments.map((segment, nth) => (nth === 0 ? { ...segment, body: '{"no":1' } : segment))
      const claim = await claimOf(outbox)
      await outbox.append({ ...group, segments: spoilt })
      const { next } = await settleOn(claim)
      expect(numbersOf(next)).toEqual(['2:2+2'])
      expect(await outbox.quarantined()).toMatchObject([{ reason: 'not_json', row: { stream: two.stream, first: 0 } }])
      await outbox.settle(received(next as Claim))
      expect(await outbox.streams()).toMatchObject([
        { recorded: 6, settled: 6 },
        { recorded: 4, settled: 2, dropped: { corrupt: 2 } },
      ])
    })

    test('says again what waits when nothing was taken', async () => {
      const claim = await claimOf(outbox)
      const { next, totals } = await settleOn(claim, nothing(claim))
      expect(numbersOf(next)).toEqual(numbersOf(claim))
      expect(totals).toMatchObject({ events: 6 })
    })
  })
}
