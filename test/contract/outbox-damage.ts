import { beforeEach, describe, expect, test } from 'vitest'
import type { AppendGroup, Outbox, Quarantined, Segment } from '../../src/outbox/contract.ts'
import { streamId, UsageOwner } from '../support/usage-owner.ts'
import { CLAIM_ALL, claimOf, events, numbersOf, received, waitingByEquation } from './outbox-kit.ts'

const DAMAGES: [string, Quarantined['reason'], (segment: Segment) => Segment][] = [
  ['is cut off', 'not_json', (segment) => ({ ...segment, body: segment.body.slice(0, -5) })],
  ['is empty', 'count', (segment) => ({ ...segment, body: '' })],
  ['would break out of its brackets', 'not_json', (segment) => ({ ...segment, body: `${segment.body}],[1` })],
  ['holds an event more', 'count', (segment) => ({ ...segment, body: `${segment.body},["m",1,{}]` })],
  ['holds no events', 'not_events', (segment) => ({ ...segment, body: '{"a":1},{"b":2}' })],
  ['holds events of two parts', 'not_events', (segment) => ({ ...segment, body: '["m",1],["m",2]' })],
]

/** Rows that cannot be sent: set aside, counted, and no hindrance to their neighbours. */
export function damageContract(get: () => Outbox): void {
  describe('a segment whose text', () => {
    let outbox: Outbox
    let one: UsageOwner
    beforeEach(() => {
      outbox = get()
      one = new UsageOwner(streamId(1), 'acme')
    })
    const damaged = (change: (segment: Segment) => Segment): AppendGroup => {
      const group = one.group(events(6), { perSegment: 2 })
      return { ...group, segments: group.segments.map((segment, nth) => (nth === 1 ? change(segment) : segment)) }
    }

    test.each(DAMAGES)('%s is set aside (%s), and its neighbours are delivered', async (_, reason, change) => {
      const group = damaged(change)
      await outbox.append(group)
      const claim = await claimOf(outbox)
      expect(numbersOf(claim)).toEqual(['1:0+2', '1:4+2'])
      const found = await outbox.quarantined()
      expect(found).toMatchObject([{ store: 'segments', reason, row: group.segments[1] }])
      expect(await outbox.streams()).toMatchObject([{ recorded: 6, dropped: { corrupt: 2 } }])
      expect(await outbox.settle(received(claim))).toMatchObject({ received: 4 })
      expect((await claimOf(outbox)).reports).toMatchObject([{ recorded: 6, dropped: { corrupt: 2 } }])
      expect(await outbox.totals()).toEqual({ events: 0, bytes: 0, deadLetters: 0 })
      expect(await waitingByEquation(outbox)).toBe(0)
      expect(await outbox.quarantined()).toEqual(found)
    })

    test('is damaged, alone, leaves its report', async () => {
      const group = one.group(events(1))
      await outbox.append({ ...group, segments: group.segments.map((segment) => ({ ...segment, body: '[' })) })
      expect(await outbox.claim(CLAIM_ALL)).toMatchObject({
        segments: [],
        reports: [{ recorded: 1, dropped: { corrupt: 1 } }],
      })
    })

    test('is damaged is met in any number', async () => {
      const group = one.group(events(250), { perSegment: 1 })
      const broken = group.segments.map((segment) => (segment.first < 249 ? { ...segment, body: '[' } : segment))
      await outbox.append({ ...group, segments: broken })
      expect(numbersOf(await claimOf(outbox))).toEqual(['1:249+1'])
      expect(await outbox.quarantined()).toHaveLength(249)
      expect(await outbox.streams()).toMatchObject([{ dropped: { corrupt: 249 } }])
    })

    test('is damaged counts what has left by itself only once', async () => {
      const group = damaged((segment) => ({ ...segment, body: '[' }))
      await outbox.append(group)
      await claimOf(outbox)
      await outbox.append(group)
      await claimOf(outbox)
      expect(await outbox.quarantined()).toHaveLength(2)
      expect(await outbox.streams()).toMatchObject([{ recorded: 6, dropped: { corrupt: 2 } }])
    })

    test('is damaged is dropped for room like others', async () => {
      await outbox.append(damaged((segment) => ({ ...segment, body: '[' })))
      expect(await outbox.dropOldest({ bytes: 1e9, reason: 'budget', nowMs: CLAIM_ALL.nowMs })).toBe(6)
      expect(await waitingByEquation(outbox)).toBe(0)
    })
  })
}
