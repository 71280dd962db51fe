import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { Claim, ClaimOptions, Outbox, Settlement } from '../../src/outbox/contract.ts'
import { splitEvents } from '../../src/outbox/core/split-events.ts'
import { streamId, UsageOwner } from '../support/usage-owner.ts'
import { outboxProperty } from './outbox.property.ts'
import { aheadContract } from './outbox-ahead.ts'
import { damageContract } from './outbox-damage.ts'
import { deadLetterContract } from './outbox-dead-letters.ts'
import {
  CLAIM_ALL,
  claimOf,
  events,
  NOW,
  nothing,
  numbersOf,
  type OutboxHome,
  received,
  rejecting,
} from './outbox-kit.ts'
import { restoreContract } from './outbox-restore.ts'
import { rollupContract } from './outbox-rollups.ts'

export type { OutboxHome } from './outbox-kit.ts'
export { CLAIM_ALL, nothing, numbersOf, received } from './outbox-kit.ts'

/** `propertyRuns`: fewer where a call is slow. */
export function outboxContract(name: string, open: () => Promise<OutboxHome>, { propertyRuns = 150 } = {}): void {
  describe(name, () => {
    let home: OutboxHome
    let outbox: Outbox
    const owner = (nth = 1, tag = 'acme') => new UsageOwner(streamId(nth), tag)
    const claimAll = (options: Partial<ClaimOptions> = {}): Promise<Claim> => claimOf(outbox, options)
    const summary = async () => {
      const [first] = await outbox.streams()
      if (!first) throw new Error('no stream')
      return first
    }

    beforeEach(async () => {
      home = await open()
      outbox = home.outbox
    })
    afterEach(() => outbox.close())

    describe('append', () => {
      test('says what the events survive', async () => {
        const one = owner()
        const plain = await outbox.append(one.group(events(1)))
        const strict = await outbox.append(one.group(events(1), { strict: true }))
        expect(plain).toBe(outbox.durability)
        expect(strict).toBe(outbox.durability === 'memory' ? 'memory' : 'power')
      })

      test('keeps call order without waiting, and the last head', async () => {
        const one = owner()
        const finished: number[] = []
        const calls = Array.from({ length: 20 }, (_, index) =>
          outbox.append(one.group(events(1, `${index}-`))).then(() => finished.push(index)),
        )
        await Promise.all(calls)
        expect(finished).toEqual(Array.from({ length: 20 }, (_, index) => index))
        expect((await summary()).recorded).toBe(20)
        const { segments } = await claimAll()
        expect(segments.map(({ first }) => first)).toEqual(Array.from({ length: 20 }, (_, index) => index))
        expect(segments.map(({ body }) => body)).toEqual(one.texts)
      })

      test('stores a head alone', async () => {
        await outbox.append(owner().refuse('invalid_data'))
        expect(await outbox.streams()).toMatchObject([{ recorded: 0, refused: { invalid_data: 1 } }])
        expect(await outbox.totals()).toEqual({ events: 0, bytes: 0, deadLetters: 0 })
      })

      test('refuses to give a stream a second account tag', async () => {
        await outbox.append(owner().group(events(1)))
        const stolen = owner(1, 'globex').group(events(2))
        await expect(outbox.append(stolen)).rejects.toMatchObject({ name: 'MetertapError', code: 'internal' })
        expect(await outbox.claim({ ...CLAIM_ALL, accountTag: 'globex' })).toBeUndefined()
        expect(numbersOf(await claimAll())).toEqual(['1:0+1'])
      })

      test('hides the segments it is told to, and no others that were hidden', async () => {
        const one = owner()
        const group = one.group(events(6), { perSegment: 2 })
        const times = { hiddenAtMs: NOW, visibleAtMs: NOW + 100 }
        const row = (first: number) => ({ stream: one.stream, first, count: 2, ...times })
        await outbox.append({ ...group, hidden: [row(0), row(2)] })
        expect(numbersOf(await claimAll())).toEqual(['1:4+2'])
        await outbox.append({ ...group, segments: group.segments.slice(1) })
        expect(numbersOf(await claimAll())).toEqual(['1:4+2'])
        await outbox.append({ ...group, segments: group.segments.slice(1), hidden: [row(4)] })
        expect(numbersOf(await claimAll())).toEqual(['1:2+2'])
        expect(numbersOf(await claimOf(outbox, { nowMs: NOW + 100 }))).toEqual(['1:0+2', '1:2+2', '1:4+2'])
        const foreign = { ...row(0), stream: streamId(9) }
        await expect(outbox.append({ ...group, hidden: [foreign] })).rejects.toMatchObject({ code: 'internal' })
      })

      test('refuses a segment of another stream', async () => {
        const { segments } = owner(2).group(events(1))
        const group = { ...owner(1).group([]), segments }
        await expect(outbox.append(group)).rejects.toMatchObject({ code: 'internal' })
        expect((await outbox.totals()).events).toBe(0)
      })

      test('takes a segment twice without counting it twice', async () => {
        const group = owner().group(events(3))
        await outbox.append(group)
        const claim = await claimAll()
        await outbox.settle(received(claim))
        await outbox.append(group)
        const again = await claimAll()
        expect(again.segments).toEqual(claim.segments)
        expect(await outbox.settle(received(again))).toEqual({ received: 0, dead: [] })
        expect(await summary()).toMatchObject({ recorded: 3, settled: 3 })
        expect(await outbox.totals()).toEqual({ events: 0, bytes: 0, deadLetters: 0 })
        expect(await outbox.claim(CLAIM_ALL)).toBeUndefined()
      })

      test('ignores a late rejection of what a relay has said it holds', async () => {
        const one = owner()
        const group = one.group(events(2))
        await outbox.append(group)
        await outbox.settle(received(await claimAll()))
        await outbox.append(group)
        const rejected = [{ stream: one.stream, seq: 1, code: 'invalid_data', detail: 'No.' }]
        expect(await outbox.settle({ ...nothing(await claimAll()), rejected })).toEqual({ received: 0, dead: [] })
        expect(await outbox.deadLetters()).toEqual([])
        expect(numbersOf(await claimAll())).toEqual(['1:0+1'])
      })

      test('takes a burst of 10,000 events', async () => {
        const one = owner()
        const all = events(10_000)
        const appends = []
        for (let at = 0; at < all.length; at += 100) {
          appends.push(outbox.append(one.group(all.slice(at, at + 100), { perSegment: 25 })))
        }
        await Promise.all(appends)
        expect((await outbox.totals()).events).toBe(10_000)
        const texts: string[] = []
        for (let rounds = 0; rounds < 20; rounds++) {
          const claim = await outbox.claim({ ...CLAIM_ALL, maxEvents: 1_000 })
          if (!claim) break
          texts.push(...claim.segments.flatMap(({ body }) => splitEvents(body)))
          await outbox.settle(received(claim))
        }
        expect(texts).toEqual(all)
        expect(await outbox.totals()).toEqual({ events: 0, bytes: 0, deadLetters: 0 })
      })
    })

    describe('claim', () => {
      test('is undefined when nothing waits', async () => {
        expect(await outbox.claim(CLAIM_ALL)).toBeUndefined()
      })

      test('takes the oldest stream first, numbers ascending', async () => {
        const [older, newer] = [owner(1), owner(2)]
        await outbox.append(newer.group(events(2), { perSegment: 1 }))
        await outbox.append(older.group(events(11), { perSegment: 1 }))
        await outbox.append(newer.group(events(1)))
        const claim = await claimAll()
        expect(numbersOf(claim)).toEqual([
          ...Array.from({ length: 11 }, (_, first) => `1:${first}+1`),
          '2:0+1',
          '2:1+1',
          '2:2+1',
        ])
        expect(claim.reports).toEqual([
          { id: older.stream, recorded: 11, dropped: {} },
          { id: newer.stream, recorded: 3, dropped: {} },
        ])
        expect(claim.more).toBe(false)
      })

      test('stops at maxEvents and says that more waits', async () => {
        await outbox.append(owner().group(events(10), { perSegment: 3 }))
        const claim = await claimAll({ maxEvents: 8 })
        expect(numbersOf(claim)).toEqual(['1:0+3', '1:3+3'])
        expect(claim.more).toBe(true)
        expect((await claimAll({ maxEvents: 9 })).segments).toHaveLength(3)
        expect(await claimAll({ maxEvents: 10 })).toMatchObject({ more: false })
      })

      test('stops at maxBytes', async () => {
        const group = owner().group(events(4), { perSegment: 1 })
        await outbox.append(group)
        const [a, b, c] = group.segments.map(({ bytes }) => bytes)
        const three = (a ?? 0) + (b ?? 0) + (c ?? 0)
        expect((await claimAll({ maxBytes: three })).segments).toHaveLength(3)
        expect((await claimAll({ maxBytes: three - 1 })).segments).toHaveLength(2)
      })

      test('gives at least one whole segment', async () => {
        await outbox.append(owner().group(events(6), { perSegment: 3 }))
        const claim = await claimAll({ maxBytes: 1, maxEvents: 1 })
        expect(numbersOf(claim)).toEqual(['1:0+3'])
        expect(claim.more).toBe(true)
      })

      test('never mixes account tags', async () => {
        await outbox.append(owner(1, 'acme').group(events(2)))
        await outbox.append(owner(2, 'globex').group(events(3)))
        await outbox.append(owner(3, 'acme').group(events(4)))
        const acme = await claimAll({ accountTag: 'acme' })
        const globex = await claimAll({ accountTag: 'globex' })
        expect(numbersOf(acme)).toEqual(['1:0+2', '3:0+4'])
        expect(acme.reports.map(({ id }) => id)).toEqual([streamId(1), streamId(3)])
        expect(numbersOf(globex)).toEqual(['2:0+3'])
        expect(globex.reports.map(({ id }) => id)).toEqual([streamId(2)])
        expect(await outbox.claim({ ...CLAIM_ALL, accountTag: 'initech' })).toBeUndefined()
      })

      test('without a lease gives the same again', async () => {
        await outbox.append(owner().group(events(2)))
        expect(await claimAll()).toEqual(await claimAll())
      })

      test('with a lease hides what it gave until the lease ends', async () => {
        await outbox.append(owner().group(events(4), { perSegment: 2 }))
        const first = await claimAll({ maxEvents: 2, leaseMs: 500 })
        expect(numbersOf(first)).toEqual(['1:0+2'])
        expect(numbersOf(await claimAll({ leaseMs: 500 }))).toEqual(['1:2+2'])
        expect(await outbox.claim({ ...CLAIM_ALL, nowMs: NOW + 499 })).toBeUndefined()
        expect(numbersOf(await claimAll({ nowMs: NOW + 500 }))).toEqual(['1:0+2', '1:2+2'])
        expect((await outbox.totals()).events).toBe(4)
      })

      test('with leases gives two claimers different segments', async () => {
        await outbox.append(owner().group(events(4), { perSegment: 1 }))
        const claims = await Promise.all(
          [1, 2, 3].map(() => outbox.claim({ ...CLAIM_ALL, maxEvents: 2, leaseMs: 500 })),
        )
        expect(claims.map(numbersOf)).toEqual([['1:0+1', '1:1+1'], ['1:2+1', '1:3+1'], []])
      })

      test('gives segments in front of, between and behind hidden ones', async () => {
        const one = owner()
        await outbox.append(one.group(events(5), { perSegment: 1 }))
        const claim = await claimAll()
        const deferred = [1, 3].map((seq) => ({ stream: one.stream, from: seq, to: seq, delayMs: 100 }))
        await outbox.settle({ ...nothing(claim), deferred })
        expect(numbersOf(await claimAll())).toEqual(['1:0+1', '1:2+1', '1:4+1'])
        expect(await claimAll({ maxEvents: 3 })).toMatchObject({ more: false })
      })

      test('release makes a leased claim visible at once', async () => {
        await outbox.append(owner().group(events(3), { perSegment: 1 }))
        const claim = await claimAll({ leaseMs: 60_000 })
        expect(await outbox.claim(CLAIM_ALL)).toBeUndefined()
        await outbox.release(claim)
        expect(await claimAll()).toEqual(claim)
      })
    })

    describe('reports', () => {
      test('come alone when only counters changed, until they are settled', async () => {
        const one = owner()
        await outbox.append(one.group(events(1)))
        await outbox.settle(received(await claimAll()))
        expect(await outbox.claim(CLAIM_ALL)).toBeUndefined()
        await outbox.append(one.refuse('not_json'))
        const claim = await claimAll()
        const report = { id: one.stream, recorded: 1, dropped: {}, refused: { not_json: 1 } }
        expect(claim).toEqual({ segments: [], reports: [report], more: false })
        expect(await outbox.claim({ ...CLAIM_ALL, accountTag: 'globex' })).toBeUndefined()
        await outbox.settle(nothing(claim))
        expect(await outbox.claim(CLAIM_ALL)).toBeUndefined()
      })

      test('tell of drops: the owner’s and purged ones', async () => {
        const one = owner()
        await outbox.append(one.group(events(2)))
        const claim = await claimAll()
        await outbox.append(one.drop('outbox_full', 3))
        await outbox.settle(
          nothing({ ...claim, segments: [], reports: [{ id: one.stream, recorded: 5, dropped: {} }] }),
        )
        await outbox.purge({ reason: 'consent' })
        const { reports } = await claimAll()
        expect(reports).toEqual([{ id: one.stream, recorded: 5, dropped: { outbox_full: 3, consent: 2 } }])
        expect(await summary()).toMatchObject({ recorded: 5, dropped: { outbox_full: 3, consent: 2 }, settled: 0 })
      })

      test('of counters that changed while a claim was under way stay pending', async () => {
        const one = owner()
        await outbox.append(one.group(events(1)))
        const claim = await claimAll()
        await outbox.append(one.refuse('not_json'))
        await outbox.settle(received(claim))
        expect((await claimAll()).reports).toMatchObject([{ refused: { not_json: 1 } }])
      })

      test('of an older claim, settled late, do not undo newer ones', async () => {
        const one = owner()
        await outbox.append(one.group(events(1)))
        const older = await claimAll()
        await outbox.append(one.group(events(1)))
        await outbox.settle(received(await claimAll()))
        await outbox.settle(received(older))
        expect(await outbox.claim(CLAIM_ALL)).toBeUndefined()
      })

      test('wait with segments that are leased', async () => {
        await outbox.append(owner().group(events(1)))
        await claimAll({ leaseMs: 1_000 })
        expect(await outbox.claim(CLAIM_ALL)).toBeUndefined()
      })

      test('without segments are given a hundred at a time', async () => {
        await Promise.all(Array.from({ length: 130 }, (_, nth) => outbox.append(owner(nth + 1).refuse('not_json'))))
        const first = await claimAll()
        expect(first.reports).toHaveLength(100)
        expect(first.more).toBe(true)
        await outbox.settle(nothing(first))
        const second = await claimAll()
        expect(second.reports).toHaveLength(30)
        expect(second.more).toBe(false)
      })
    })

    describe('settle', () => {
      test('deletes what is covered whole', async () => {
        await outbox.append(owner().group(events(6), { perSegment: 2 }))
        const claim = await claimAll()
        const settled = await outbox.settle({ ...nothing(claim), received: { [streamId(1)]: [[0, 3]] } })
        expect(settled).toEqual({ received: 4, dead: [] })
        expect(numbersOf(await claimAll())).toEqual(['1:4+2'])
        expect(await summary()).toMatchObject({ recorded: 6, settled: 4 })
      })

      test('splits what is covered partly and keeps the exact text', async () => {
        const one = owner()
        const texts = [
          '["api_calls",1,{"n":1.0,"s":"]["}]',
          '["api_calls",2,{"s":"\\"],[\\\\"}]',
          '["api_calls",3,{"s":"\\\\","t":"},{"}]',
          '["api_calls",4,{ "spaced" : [1,2,[3,{"x":"é😀"}]] }]',
          '["api_calls",5,null]',
          '["api_calls",6,{"n":1e3}]',
        ]
        await outbox.append(one.group(texts))
        const claim = await claimAll()
        await outbox.settle({
          ...nothing(claim),
          received: {
            [one.stream]: [
              [0, 0],
              [2, 2],
              [5, 9],
            ],
          },
        })
        const left = await claimAll()
        expect(numbersOf(left)).toEqual(['1:1+1', '1:3+2'])
        expect(left.segments.map(({ body }) => body)).toEqual([texts[1], `${texts[3]},${texts[4]}`])
        const bytes = left.segments.map(({ body }) => new TextEncoder().encode(body).length)
        expect(left.segments.map((segment) => segment.bytes)).toEqual(bytes)
        expect(await outbox.totals()).toEqual({ events: 3, bytes: (bytes[0] ?? 0) + (bytes[1] ?? 0), deadLetters: 0 })
      })

      test('buries what is rejected, with its text and reason', async () => {
        const one = owner()
        await outbox.append(one.group(events(3)))
        const claim = await claimAll()
        const rejected = [{ stream: one.stream, seq: 1, code: 'unknown_meter', detail: 'No such meter.' }]
        const settled = await outbox.settle({
          ...nothing(claim),
          received: {
            [one.stream]: [
              [0, 0],
              [2, 2],
            ],
          },
          rejected,
        })
        const letter = {
          stream: one.stream,
          seq: 1,
          accountTag: 'acme',
          event: one.texts[1],
          code: 'unknown_meter',
          detail: 'No such meter.',
          diedAtMs: NOW,
        }
        expect(settled).toEqual({ received: 2, dead: [letter] })
        expect(await outbox.deadLetters()).toEqual([letter])
        expect(await outbox.totals()).toEqual({ events: 0, bytes: 0, deadLetters: 1 })
        expect(await summary()).toMatchObject({ recorded: 3, settled: 2, dead: 1 })
        expect(await outbox.claim(CLAIM_ALL)).toBeUndefined()
      })

      test('buries a segment of one event', async () => {
        const one = owner()
        await outbox.append(one.group(events(1)))
        const rejected = [{ stream: one.stream, seq: 0, code: 'invalid_data', detail: 'No.' }]
        const settled = await outbox.settle({ ...nothing(await claimAll()), rejected })
        expect(settled.dead.map(({ event }) => event)).toEqual(one.texts)
        expect(await outbox.claim(CLAIM_ALL)).toBeUndefined()
      })

      test('hides what is deferred, to the millisecond', async () => {
        const one = owner()
        await outbox.append(one.group(events(6), { perSegment: 3 }))
        const deferred = [
          { stream: one.stream, from: 1, to: 1, delayMs: 100 },
          { stream: one.stream, from: 3, to: 5, delayMs: 200 },
        ]
        await outbox.settle({ ...nothing(await claimAll()), received: { [one.stream]: [[0, 0]] }, deferred })
        expect(numbersOf(await claimAll())).toEqual(['1:2+1'])
        expect(numbersOf(await claimAll({ nowMs: NOW + 99 }))).toEqual(['1:2+1'])
        expect(numbersOf(await claimAll({ nowMs: NOW + 100 }))).toEqual(['1:1+1', '1:2+1'])
        expect(numbersOf(await claimAll({ nowMs: NOW + 200 }))).toEqual(['1:1+1', '1:2+1', '1:3+3'])
        expect((await outbox.totals()).events).toBe(5)
        expect(splitEvents((await claimAll({ nowMs: NOW + 200 })).segments.map(({ body }) => body).join())).toEqual(
          one.texts.slice(1),
        )
      })

      test('ends the lease of what the relay did not name', async () => {
        await outbox.append(owner().group(events(4), { perSegment: 2 }))
        const claim = await claimAll({ leaseMs: 60_000 })
        await outbox.settle({ ...nothing(claim), received: { [streamId(1)]: [[0, 0]] } })
        expect(numbersOf(await claimAll())).toEqual(['1:1+1', '1:2+2'])
      })

      test('keeps everything when the relay names nothing', async () => {
        await outbox.append(owner().group(events(4), { perSegment: 2 }))
        const claim = await claimAll()
        expect(await outbox.settle(nothing(claim))).toEqual({ received: 0, dead: [] })
        expect((await claimAll()).segments).toEqual(claim.segments)
      })

      test('ignores streams and numbers outside the claim', async () => {
        const [one, other] = [owner(1), owner(2)]
        await outbox.append(one.group(events(4), { perSegment: 2 }))
        await outbox.append(other.group(events(2)))
        const claim = await claimAll({ maxEvents: 2 })
        const outside = { code: 'invalid_data', detail: 'No.' }
        const settled = await outbox.settle({
          claim,
          received: { [one.stream]: [[2, 1e15]], [other.stream]: [[0, 9]], nobody: [[0, 9]] },
          rejected: [
            { stream: one.stream, seq: 3, ...outside },
            { stream: one.stream, seq: 0.5, ...outside },
            { stream: one.stream, seq: -1, ...outside },
            { stream: other.stream, seq: 0, ...outside },
          ],
          deferred: [{ stream: other.stream, from: 0, to: 9, delayMs: 1_000 }],
          nowMs: NOW,
        })
        expect(settled).toEqual({ received: 0, dead: [] })
        expect(numbersOf(await claimAll())).toEqual(['1:0+2', '1:2+2', '2:0+2'])
      })

      test('keeps the event when the relay contradicts itself', async () => {
        const one = owner()
        await outbox.append(one.group(events(3)))
        const settled = await outbox.settle({
          claim: await claimAll(),
          received: {
            [one.stream]: [
              [2, 0],
              [0, 2],
              [1, 1],
            ],
          },
          rejected: [{ stream: one.stream, seq: 1, code: 'invalid_data', detail: 'No.' }],
          deferred: [{ stream: one.stream, from: 1, to: 2, delayMs: 0 }],
          nowMs: NOW,
        })
        expect(settled.received).toBe(1)
        expect(settled.dead.map(({ seq }) => seq)).toEqual([1])
        expect(numbersOf(await claimAll())).toEqual(['1:2+1'])
      })

      test('repeated changes nothing and counts nothing', async () => {
        const one = owner()
        await outbox.append(one.group(events(9), { perSegment: 3 }))
        const settlement: Settlement = {
          claim: await claimAll(),
          received: {
            [one.stream]: [
              [0, 3],
              [7, 7],
            ],
          },
          rejected: [{ stream: one.stream, seq: 5, code: 'invalid_data', detail: 'No.' }],
          deferred: [{ stream: one.stream, from: 8, to: 8, delayMs: 100 }],
          nowMs: NOW,
        }
        expect(await outbox.settle(settlement)).toMatchObject({ received: 5, dead: [{ seq: 5 }] })
        const before = [await outbox.streams(), await outbox.totals(), await outbox.deadLetters(), await claimAll()]
        expect(await outbox.settle(settlement)).toEqual({ received: 0, dead: [] })
        expect([await outbox.streams(), await outbox.totals(), await outbox.deadLetters(), await claimAll()]).toEqual(
          before,
        )
      })

      test('of two overlapping claims counts each number once', async () => {
        const one = owner()
        await outbox.append(one.group(events(10)))
        const [first, second] = [await claimAll(), await claimAll()]
        await outbox.settle({ ...nothing(first), received: { [one.stream]: [[3, 5]] } })
        expect(await outbox.settle(received(second))).toEqual({ received: 7, dead: [] })
        expect(await summary()).toMatchObject({ recorded: 10, settled: 10 })
        expect(await outbox.claim(CLAIM_ALL)).toBeUndefined()
      })

      test('takes back a death when another claim’s answer says that a relay holds the event', async () => {
        const one = owner()
        await outbox.append(one.group(events(4), { perSegment: 2 }))
        const [first, second] = [await claimAll(), await claimAll()]
        await outbox.settle(rejecting(first, 0, 2, 3))
        await outbox.deleteDeadLetters([{ stream: one.stream, seq: 2 }])
        const whole = { [one.stream]: [[2, 3] as [number, number]] }
        expect(await outbox.settle({ ...nothing(second), received: whole })).toEqual({ received: 1, dead: [] })
        expect((await outbox.deadLetters()).map(({ seq }) => seq)).toEqual([0])
        expect(await summary()).toMatchObject({ recorded: 4, settled: 1, dead: 2 })
        expect(await outbox.settle({ ...rejecting(second, 1), received: { [one.stream]: [[0, 3]] } })).toMatchObject({
          received: 1,
          dead: [{ seq: 1 }],
        })
        expect((await outbox.deadLetters()).map(({ seq }) => seq)).toEqual([1])
        expect(await summary()).toMatchObject({ recorded: 4, settled: 2, dead: 2 })
        expect(await outbox.totals()).toEqual({ events: 0, bytes: 0, deadLetters: 1 })
      })

      test('at the same time as another of the same claim counts each number once', async () => {
        await outbox.append(owner().group(events(10), { perSegment: 2 }))
        const claim = await claimAll()
        const settled = await Promise.all([outbox.settle(received(claim)), outbox.settle(received(claim))])
        expect(settled.map((each) => each.received)).toEqual([10, 0])
        expect(await summary()).toMatchObject({ recorded: 10, settled: 10 })
      })

      test('buries the whole text of a one-event segment, damaged or not', async () => {
        const one = owner()
        const group = one.group(events(1))
        const segments = group.segments.map((segment) => ({ ...segment, body: '["m",1],' }))
        await outbox.append({ ...group, segments })
        const rejected = [{ stream: one.stream, seq: 0, code: 'not_json', detail: 'No.' }]
        const { dead } = await outbox.settle({ ...nothing({ segments, reports: [], more: false }), rejected })
        expect(dead.map(({ event }) => event)).toEqual(['["m",1],'])
      })

      test('leaves a segment alone whose text is not what it counts, unless it is covered whole', async () => {
        const one = owner()
        const group = one.group(events(3))
        const segments = group.segments.map((segment) => ({ ...segment, body: `${segment.body},[]` }))
        await outbox.append({ ...group, segments })
        const claim = { segments, reports: [], more: false }
        const partly = { ...nothing(claim), received: { [one.stream]: [[0, 1]] as [number, number][] } }
        expect(await outbox.settle(partly)).toEqual({ received: 0, dead: [] })
        expect(await outbox.settle(received(claim))).toEqual({ received: 3, dead: [] })
        expect(await outbox.quarantined()).toEqual([])
      })

      test('goes together with appends', async () => {
        const one = owner()
        await outbox.append(one.group(events(50), { perSegment: 5 }))
        const claim = await claimAll()
        const more = Array.from({ length: 50 }, () => outbox.append(one.group(events(2))))
        const settling = outbox.settle(received(claim))
        more.push(...Array.from({ length: 50 }, () => outbox.append(one.group(events(2)))))
        const [settled] = await Promise.all([settling, ...more])
        expect(settled.received).toBe(50)
        expect(await summary()).toMatchObject({ recorded: 250, settled: 50 })
        const left = await claimAll()
        expect(left.segments.flatMap(({ body }) => splitEvents(body))).toEqual(one.texts.slice(50))
      })
    })

    describe('purge', () => {
      test('drops one account tag and counts why', async () => {
        const [one, other] = [owner(1), owner(2, 'globex')]
        await outbox.append(one.group(events(4), { perSegment: 2 }))
        await outbox.append(other.group(events(3)))
        await claimAll({ maxEvents: 2, leaseMs: 60_000 })
        expect(await outbox.purge({ reason: 'signed_out', accountTag: 'acme' })).toBe(4)
        expect(await outbox.purge({ reason: 'signed_out', accountTag: 'acme' })).toBe(0)
        expect((await outbox.totals()).events).toBe(3)
        const claim = await claimAll()
        expect(claim).toMatchObject({ segments: [], reports: [{ recorded: 4, dropped: { signed_out: 4 } }] })
        expect(numbersOf(await claimAll({ accountTag: 'globex' }))).toEqual(['2:0+3'])
      })

      test('drops all tags, and the answer of a claim that was under way counts nothing', async () => {
        await outbox.append(owner(1).group(events(2)))
        await outbox.append(owner(2, 'globex').group(events(2)))
        const claim = await claimAll()
        expect(await outbox.purge({ reason: 'constructor' })).toBe(4)
        expect(await outbox.settle(received(claim))).toEqual({ received: 0, dead: [] })
        expect(await summary()).toMatchObject({ settled: 0, dropped: { constructor: 2 } })
        expect(await outbox.totals()).toEqual({ events: 0, bytes: 0, deadLetters: 0 })
      })

      test('keeps dead letters; they go one by one', async () => {
        const one = owner()
        await outbox.append(one.group(events(3)))
        const reject = (seq: number) => ({ stream: one.stream, seq, code: 'invalid_data', detail: 'No.' })
        await outbox.settle({ ...nothing(await claimAll()), rejected: [reject(2), reject(0)] })
        await outbox.purge({ reason: 'consent' })
        const letters = await outbox.deadLetters()
        expect(letters.map(({ seq }) => seq)).toEqual([0, 2])
        await outbox.deleteDeadLetters([...letters.slice(0, 1), { stream: 'nobody', seq: 2 }])
        expect((await outbox.deadLetters()).map(({ seq }) => seq)).toEqual([2])
        expect((await outbox.totals()).deadLetters).toBe(1)
        expect(await summary()).toMatchObject({ recorded: 3, dead: 2, dropped: { consent: 1 } })
      })
    })

    test('the device id is made once', async () => {
      const ids = await Promise.all([outbox.deviceId(), outbox.deviceId()])
      expect(ids[0]).toMatch(/./)
      expect(new Set([...ids, await outbox.deviceId()]).size).toBe(1)
    })

    test('a closed outbox rejects with code closed', async () => {
      await outbox.close()
      await expect(outbox.append(owner().group(events(1)))).rejects.toMatchObject({ code: 'closed' })
      await expect(outbox.claim(CLAIM_ALL)).rejects.toMatchObject({ code: 'closed' })
      await expect(outbox.totals()).rejects.toMatchObject({ code: 'closed' })
    })

    test('everything is there after opening it again', async ({ skip }) => {
      if (!home.reopen) return skip('nothing outlives this home')
      const one = owner()
      await outbox.append(one.group(events(6), { perSegment: 2 }))
      await outbox.append(one.refuse('not_json'))
      const rejected = [{ stream: one.stream, seq: 1, code: 'invalid_data', detail: 'No.' }]
      const deferred = [{ stream: one.stream, from: 2, to: 3, delayMs: 100 }]
      await outbox.settle({ ...nothing(await claimAll()), received: { [one.stream]: [[0, 0]] }, rejected, deferred })
      await claimAll({ leaseMs: 50 })
      const state = async () => [
        await outbox.deviceId(),
        await outbox.streams(),
        await outbox.totals(),
        await outbox.deadLetters(),
        (await outbox.claim(CLAIM_ALL)) ?? 'all hidden',
        numbersOf(await claimAll({ nowMs: NOW + 50 })),
        numbersOf(await claimAll({ nowMs: NOW + 100 })),
      ]
      const before = await state()
      expect(before.slice(-3)).toEqual(['all hidden', ['1:4+2'], ['1:2+2', '1:4+2']])
      outbox = await home.reopen()
      expect(await state()).toEqual(before)
    })

    aheadContract(() => outbox)
    deadLetterContract(() => outbox)
    rollupContract(() => outbox)
    restoreContract(() => outbox)
    damageContract(() => outbox)
    outboxProperty(open, propertyRuns)
  })
}
