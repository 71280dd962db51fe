import { beforeEach, describe, expect, test, vi } from 'vitest'
import type { Outbox } from '../../src/outbox/contract.ts'
import { createMemoryOutbox } from '../../src/outbox/memory/open.ts'
import { resilientOutbox } from '../../src/outbox/resilient/open.ts'
import {
  CLAIM_ALL,
  claimOf,
  events,
  NOW,
  nothing,
  numbersOf,
  received,
  rejecting,
  waitingByEquation,
} from '../contract/outbox-kit.ts'
import { type Fault, type FaultyOutbox, faultyOutbox } from '../support/faulty-outbox.ts'
import { eventText, streamId, UsageOwner } from '../support/usage-owner.ts'

let real: Outbox
let primary: FaultyOutbox
let outbox: Outbox
let one: UsageOwner
const onDegraded = vi.fn()
const onRecovered = vi.fn()

/** From now on these methods of the primary fail, by default all of them. */
function fail(fault: Fault, ...methods: (keyof Outbox)[]): void {
  primary.plan = (method) => (methods.length === 0 || methods.includes(method) ? fault : 'ok')
}

function heal(): void {
  primary.plan = () => 'ok'
}

beforeEach(() => {
  vi.clearAllMocks()
  real = createMemoryOutbox({ random: () => 'device' })
  primary = faultyOutbox({
    ...real,
    durability: 'process',
    append: (group) => real.append(group).then(() => (group.strict ? 'power' : 'process')),
  })
  outbox = resilientOutbox({ primary, onDegraded, onRecovered })
  one = new UsageOwner(streamId(1), 'acme')
})

describe('append', () => {
  test('goes straight to the primary, within the call', async () => {
    const stored = outbox.append(one.group(events(1)))
    expect(primary.calls).toEqual(['append'])
    await stored
    expect(primary.calls).toEqual(['append'])
  })

  test('resolves memory without room, tells once a spell, and stores all with the next one', async () => {
    fail('full', 'append')
    expect(await outbox.append(one.group(events(2)))).toBe('memory')
    expect(await outbox.append(one.group(events(3)))).toBe('memory')
    expect(onDegraded).toHaveBeenCalledTimes(1)
    expect(onDegraded.mock.calls[0]?.[0]).toMatchObject({ code: 'outbox_full' })
    expect(await real.totals()).toMatchObject({ events: 0 })
    expect(await outbox.totals()).toMatchObject({ events: 5 })
    heal()
    const before = primary.calls.length
    expect(await outbox.append(one.group(events(1)))).toBe('process')
    expect(primary.calls.slice(before)).toEqual(['append'])
    expect(onRecovered).toHaveBeenCalledTimes(1)
    expect(numbersOf(await claimOf(real))).toEqual(['1:0+2', '1:2+3', '1:5+1'])
    fail('full', 'append')
    await outbox.append(one.group(events(1)))
    expect(onDegraded).toHaveBeenCalledTimes(2)
  })

  test('in doubt is stored again at once, and is no spell', async () => {
    let nth = 0
    primary.plan = (method) => (method === 'append' && nth++ === 0 ? 'doubt' : 'ok')
    expect(await outbox.append(one.group(events(2)))).toBe('process')
    expect(onDegraded).not.toHaveBeenCalled()
    expect(onRecovered).not.toHaveBeenCalled()
    expect(numbersOf(await claimOf(real))).toEqual(['1:0+2'])
  })

  test('keeps the order of calls that fail together', async () => {
    fail('unavailable', 'append')
    const finished: number[] = []
    await Promise.all([0, 1, 2].map((nth) => outbox.append(one.group(events(1))).then(() => finished.push(nth))))
    expect(finished).toEqual([0, 1, 2])
    expect(onDegraded).toHaveBeenCalledTimes(1)
    heal()
    await claimOf(outbox)
    expect(await real.streams()).toMatchObject([{ recorded: 3 }])
  })

  test('that failed among others that did not never brings an older head back', async () => {
    let nth = 0
    primary.plan = (method) => (method === 'append' && nth++ === 0 ? 'unavailable' : 'ok')
    await Promise.all([outbox.append(one.group(events(2))), outbox.append(one.group(events(3)))])
    expect(await real.streams()).toMatchObject([{ recorded: 5 }])
    expect(numbersOf(await claimOf(real))).toEqual(['1:0+2', '1:2+3'])
  })

  test('of a strict group says power once it is', async () => {
    fail('full', 'append')
    expect(await outbox.append(one.group(events(1), { strict: true }))).toBe('memory')
    heal()
    expect(await outbox.append(one.group(events(1)))).toBe('process')
    fail('full', 'append')
    await outbox.append(one.group(events(1)))
    heal()
    expect(await outbox.append(one.group(events(1), { strict: true }))).toBe('power')
  })

  test('rejects what waiting does not mend', async () => {
    await outbox.append(one.group(events(1)))
    await expect(outbox.append(new UsageOwner(streamId(1), 'globex').group(events(1)))).rejects.toMatchObject({
      code: 'internal',
    })
    await outbox.close()
    await expect(outbox.append(one.group(events(1)))).rejects.toMatchObject({ code: 'closed' })
    expect(onDegraded).not.toHaveBeenCalled()
  })

  test('that is held is stored by close() when that is possible', async () => {
    fail('unavailable', 'append')
    await outbox.append(one.group(events(2)))
    heal()
    const append = vi.spyOn(primary, 'append')
    await outbox.close()
    expect(append.mock.calls).toMatchObject([[{ head: { recorded: 2 }, segments: [{ first: 0, count: 2 }] }]])
    await expect(real.totals()).rejects.toMatchObject({ code: 'closed' })
  })
})

describe('a spell', () => {
  test('serves claims from memory, within their limits, with the report', async () => {
    fail('unavailable')
    await outbox.append(one.group(events(6), { perSegment: 2 }))
    const claim = await claimOf(outbox, { maxEvents: 4 })
    expect(numbersOf(claim)).toEqual(['1:0+2', '1:2+2'])
    expect(claim.more).toBe(true)
    expect(claim.reports).toEqual([{ id: one.stream, recorded: 6, dropped: {} }])
    expect(await outbox.settle({ ...nothing(claim), received: { [one.stream]: [[0, 2]] } })).toMatchObject({
      received: 3,
    })
    expect(numbersOf(await claimOf(outbox))).toEqual(['1:3+1', '1:4+2'])
    expect(await outbox.streams()).toMatchObject([{ recorded: 6, settled: 3 }])
    expect(await outbox.totals()).toMatchObject({ events: 3 })
    expect((await outbox.totals()).bytes).toBeGreaterThan(0)
  })

  test('ends with counters and dead letters in the primary as if nothing had been', async () => {
    await outbox.append(one.group(events(2)))
    fail('unavailable')
    await outbox.append(one.group(events(5)))
    const claim = await claimOf(outbox)
    expect(numbersOf(claim)).toEqual(['1:2+5'])
    const settled = await outbox.settle({ ...rejecting(claim, 3), received: { [one.stream]: [[2, 5]] } })
    expect(settled).toMatchObject({ received: 3, dead: [{ seq: 3, event: one.texts[3] }] })
    expect(await outbox.deadLetters()).toMatchObject([{ seq: 3 }])
    expect(await outbox.totals()).toMatchObject({ deadLetters: 1 })
    heal()
    expect(numbersOf(await claimOf(outbox))).toEqual(['1:0+2', '1:6+1'])
    expect(onRecovered).toHaveBeenCalledTimes(1)
    expect(await real.streams()).toMatchObject([{ recorded: 7, settled: 3, dead: 1 }])
    expect(await real.deadLetters()).toMatchObject([
      { seq: 3, event: one.texts[3], code: 'unknown_meter', diedAtMs: NOW },
    ])
    expect(await real.totals()).toEqual(await outbox.totals())
    expect(await outbox.settle(received(await claimOf(outbox)))).toEqual({ received: 3, dead: [] })
    expect(await real.totals()).toEqual({ events: 0, bytes: 0, deadLetters: 1 })
    expect(await waitingByEquation(real)).toBe(0)
  })

  test('rejects a claim only when nothing is held', async () => {
    fail('unavailable')
    await expect(outbox.claim(CLAIM_ALL)).rejects.toMatchObject({ code: 'outbox_unavailable' })
    await outbox.append(one.group(events(1)))
    const claim = await claimOf(outbox)
    await outbox.settle(received(claim))
    await expect(outbox.claim(CLAIM_ALL)).rejects.toMatchObject({ code: 'outbox_unavailable' })
  })

  test('lets a full primary drain, turn by turn', async () => {
    await outbox.append(one.group(events(2)))
    fail('full', 'append')
    await outbox.append(one.group(events(1)))
    const first = await claimOf(outbox)
    await outbox.append(one.group(events(1)))
    const second = await claimOf(outbox)
    expect([numbersOf(first), numbersOf(second)]).toEqual([['1:2+1'], ['1:0+2']])
    expect(second.more).toBe(true)
    expect(await outbox.settle(received(second))).toEqual({ received: 2, dead: [] })
    expect(await real.streams()).toMatchObject([{ settled: 2 }])
  })

  test('settles reports of what is in the primary there', async () => {
    await outbox.append(one.group(events(1)))
    await outbox.settle(received(await claimOf(outbox)))
    await outbox.append(one.refuse('not_json'))
    fail('full', 'append')
    await outbox.append(new UsageOwner(streamId(2), 'acme').group(events(1)))
    for (let rounds = 0; rounds < 4; rounds++) {
      const claim = await outbox.claim(CLAIM_ALL)
      if (claim) await outbox.settle(received(claim))
    }
    expect(await outbox.claim(CLAIM_ALL)).toBeUndefined()
    expect(await real.claim(CLAIM_ALL)).toBeUndefined()
  })

  test('takes a settlement twice without counting it twice, told or not', async () => {
    fail('doubt', 'append')
    await outbox.append(one.group(events(4)))
    const claim = await claimOf(outbox)
    expect(await outbox.settle(received(claim))).toEqual({ received: 4, dead: [] })
    expect(await outbox.settle(received(claim))).toEqual({ received: 0, dead: [] })
    // The group in doubt was stored: the repeated answer has cleared it away.
    expect(await real.claim(CLAIM_ALL)).toMatchObject({ segments: [] })
    heal()
    await outbox.claim(CLAIM_ALL)
    expect(await real.streams()).toMatchObject([{ recorded: 4, settled: 4 }])
  })

  test('keeps leases and deferrals over its end, and gives a lease back', async () => {
    fail('unavailable')
    await outbox.append(one.group(events(6), { perSegment: 2 }))
    const claim = await claimOf(outbox, { maxEvents: 4, leaseMs: 1_000 })
    const deferred = [{ stream: one.stream, from: 0, to: 1, delayMs: 500 }]
    await outbox.settle({ ...nothing({ ...claim, segments: claim.segments.slice(0, 1) }), deferred })
    heal()
    expect(numbersOf(await claimOf(outbox))).toEqual(['1:4+2'])
    expect(numbersOf(await claimOf(real))).toEqual(['1:4+2'])
    expect(numbersOf(await claimOf(real, { nowMs: NOW + 500 }))).toEqual(['1:0+2', '1:4+2'])
    expect(numbersOf(await claimOf(real, { nowMs: NOW + 1_000 }))).toEqual(['1:0+2', '1:2+2', '1:4+2'])
    fail('unavailable')
    await outbox.append(one.group(events(1)))
    const leased = await claimOf(outbox, { leaseMs: 1_000 })
    await expect(outbox.claim(CLAIM_ALL)).rejects.toMatchObject({ code: 'outbox_unavailable' })
    await outbox.release(leased)
    expect(numbersOf(await claimOf(outbox))).toEqual(['1:6+1'])
  })

  test('retries and forgets dead letters in memory', async () => {
    fail('unavailable')
    await outbox.append(one.group(events(3)))
    await outbox.settle(rejecting(await claimOf(outbox), 0, 1, 2))
    expect(await outbox.retryDeadLetters([{ stream: one.stream, seq: 1 }])).toBe(1)
    await outbox.deleteDeadLetters([{ stream: one.stream, seq: 0 }])
    expect((await outbox.deadLetters()).map(({ seq }) => seq)).toEqual([2])
    expect(await outbox.totals()).toMatchObject({ events: 1, deadLetters: 1 })
    heal()
    expect(numbersOf(await claimOf(outbox))).toEqual(['1:1+1'])
    expect((await real.deadLetters()).map(({ seq }) => seq)).toEqual([2])
    expect(await real.streams()).toMatchObject([{ recorded: 3, dead: 2 }])
  })

  test('never sends a dead letter again between the primary’s taking it in and its burial', async () => {
    fail('full', 'append')
    await outbox.append(one.group(events(2)))
    const refused = await claimOf(outbox)
    await outbox.settle({ ...rejecting(refused, 0), received: { [one.stream]: [[1, 1]] } })
    fail('full', 'settle')
    for (let rounds = 0; rounds < 3; rounds++) expect(numbersOf(await outbox.claim(CLAIM_ALL))).toEqual([])
    expect(await outbox.streams()).toMatchObject([{ recorded: 2, settled: 1, dead: 1 }])
    // Another tab finds it when this page has ended without burying it.
    expect(numbersOf(await real.claim(CLAIM_ALL))).toEqual([])
    expect(numbersOf(await claimOf(real, { nowMs: NOW + 3_600_000 }))).toEqual(['1:0+1'])
    heal()
    await outbox.claim(CLAIM_ALL)
    expect(await real.deadLetters()).toMatchObject([{ seq: 0, event: one.texts[0] }])
    expect(await real.streams()).toMatchObject([{ recorded: 2, settled: 1, dead: 1 }])
    expect(await real.totals()).toMatchObject({ events: 0 })
  })

  test('sends a dead letter that is retried before its burial', async () => {
    fail('full', 'append')
    await outbox.append(one.group(events(1)))
    await outbox.settle(rejecting(await claimOf(outbox), 0))
    fail('full', 'settle')
    await outbox.claim(CLAIM_ALL)
    expect(await outbox.retryDeadLetters([{ stream: one.stream, seq: 0 }])).toBe(1)
    heal()
    expect(numbersOf(await claimOf(outbox))).toEqual(['1:0+1'])
    expect(numbersOf(await claimOf(real))).toEqual(['1:0+1'])
    expect(await real.streams()).toMatchObject([{ recorded: 1, settled: 0, dead: 0 }])
  })

  test.each<Fault>(['ok', 'full'])(
    'takes back a death when the relay takes the event from a group in doubt (settle: %s)',
    async (settling) => {
      let nth = 0
      primary.plan = (method) => {
        if (method === 'append') return nth++ === 0 ? 'doubt' : 'full'
        return method === 'settle' ? settling : 'ok'
      }
      await outbox.append(one.group(events(3)))
      const first = await claimOf(outbox)
      await outbox.settle({ ...rejecting(first, 0, 2), received: { [one.stream]: [[1, 1]] } })
      await outbox.deleteDeadLetters([{ stream: one.stream, seq: 2 }])
      const again = await claimOf(outbox)
      expect(numbersOf(again)).toEqual(['1:0+3'])
      expect(await outbox.settle(received(again))).toEqual({ received: 2, dead: [] })
      expect(await outbox.deadLetters()).toEqual([])
      heal()
      await outbox.claim(CLAIM_ALL)
      expect(await real.deadLetters()).toEqual([])
      expect(await real.streams()).toMatchObject([{ recorded: 3, settled: 3, dead: 0 }])
      expect(await real.totals()).toEqual({ events: 0, bytes: 0, deadLetters: 0 })
    },
  )

  test('lists a dead letter once whose burial is in doubt', async () => {
    fail('unavailable')
    await outbox.append(one.group(events(2)))
    await outbox.settle(rejecting(await claimOf(outbox), 0, 1))
    await outbox.deleteDeadLetters([{ stream: one.stream, seq: 1 }])
    fail('doubt', 'settle')
    await outbox.claim(CLAIM_ALL)
    expect((await real.deadLetters()).map(({ seq }) => seq)).toEqual([0, 1])
    expect((await outbox.deadLetters()).map(({ seq }) => seq)).toEqual([0])
    expect(await outbox.retryDeadLetters([{ stream: one.stream, seq: 1 }])).toBe(0)
    heal()
    await outbox.claim(CLAIM_ALL)
    expect((await real.deadLetters()).map(({ seq }) => seq)).toEqual([0])
    expect(await real.streams()).toMatchObject([{ recorded: 2, dead: 2 }])
  })

  test('drops what is held when it must, counted for good', async () => {
    await outbox.append(one.group(events(2)))
    fail('unavailable')
    await outbox.append(one.group(events(4), { perSegment: 2 }))
    expect(await outbox.dropOldest({ bytes: 1, reason: 'budget', nowMs: NOW })).toBe(2)
    await expect(outbox.purge({ reason: 'consent' })).rejects.toMatchObject({ code: 'outbox_unavailable' })
    heal()
    const claim = await claimOf(outbox)
    expect(numbersOf(claim)).toEqual(['1:0+2'])
    expect(claim.reports).toMatchObject([{ recorded: 6, dropped: { budget: 2, consent: 2 } }])
    expect(await outbox.purge({ reason: 'consent' })).toBe(2)
    await outbox.append(one.group(events(1)))
    expect(await real.streams()).toMatchObject([{ recorded: 7, dropped: { budget: 2, consent: 4 } }])
    expect(await real.totals()).toMatchObject({ events: 1 })
    expect(await waitingByEquation(real)).toBe(1)
  })

  test('adds what is dropped here to what its owner has dropped', async () => {
    fail('unavailable')
    await outbox.append(one.drop('budget', 1))
    await outbox.append(one.drop('outbox_full', 3))
    await outbox.append(one.group(events(2)))
    expect(await outbox.dropOldest({ bytes: 1, reason: 'budget', nowMs: NOW })).toBe(2)
    heal()
    await outbox.claim(CLAIM_ALL)
    expect(await real.streams()).toMatchObject([{ recorded: 6, dropped: { budget: 3, outbox_full: 3 } }])
    expect(await waitingByEquation(real)).toBe(0)
  })

  test('tells of what the primary dropped before', async () => {
    await outbox.append(one.group(events(2)))
    await outbox.purge({ reason: 'consent' })
    await outbox.append(one.drop('outbox_full', 1))
    fail('full', 'append')
    await outbox.append(one.group(events(3)))
    expect(await outbox.streams()).toMatchObject([{ recorded: 6, dropped: { consent: 2, outbox_full: 1 } }])
    expect(await waitingByEquation(outbox)).toBe(3)
    expect(await outbox.totals()).toMatchObject({ events: 3 })
  })

  test('leaves a roll-up that the primary has to the primary’s purge', async () => {
    await outbox.append(one.rollup(eventText('sum 1'), 5_000))
    fail('unavailable')
    await outbox.append(one.rollup(eventText('sum 2'), 5_000, 0))
    await outbox.append(one.rollup(eventText('new'), 5_000))
    await expect(outbox.purge({ reason: 'consent' })).rejects.toMatchObject({ code: 'outbox_unavailable' })
    heal()
    expect(await outbox.purge({ reason: 'consent' })).toBe(1)
    expect(await real.streams()).toMatchObject([{ recorded: 2, dropped: { consent: 2 } }])
    expect(await outbox.openRollups()).toEqual([])
  })

  test('holds roll-ups and closes them', async () => {
    await outbox.append(one.rollup(eventText('sum 1'), 5_000))
    await outbox.append(one.rollup(eventText('other 1'), 6_000))
    fail('unavailable', 'append')
    await outbox.append(one.rollup(eventText('sum 2'), 5_000, 0))
    expect(await outbox.openRollups()).toHaveLength(2)
    await outbox.append(one.close(0, eventText('sum 3')))
    expect((await outbox.openRollups()).map(({ seq }) => seq)).toEqual([1])
    expect((await claimOf(outbox)).segments.map(({ body }) => body)).toEqual([eventText('sum 3')])
    await outbox.append(one.rollup(eventText('other 2'), 6_000, 1))
    expect(await outbox.closeRollups({ streams: [one.stream] })).toBe(1)
    heal()
    expect((await claimOf(outbox)).segments.map(({ body }) => body)).toEqual([eventText('sum 3'), eventText('other 2')])
    expect(await real.openRollups()).toEqual([])
    expect(await waitingByEquation(real)).toBe(2)
  })
})
