import { describe, expect, test, vi } from 'vitest'
import { createClockEvidence } from '../../src/agent/clock-evidence.ts'
import { createDeliver, type FailedOutcome } from '../../src/agent/deliver.ts'
import { narrowClaim } from '../../src/agent/narrow.ts'
import type { Claim, DeadLetter } from '../../src/outbox/contract.ts'
import { sealOf } from '../../src/outbox/core/seal.ts'
import { createMemoryOutbox } from '../../src/outbox/memory/open.ts'
import type { Outcome } from '../../src/transport/contract.ts'
import { type Policy, type WireAnswer, type WireBatch, wireBatch } from '../../src/wire/contract.ts'
import { failure } from '../support/fake-clock.ts'
import { UsageOwner } from '../support/usage-owner.ts'

const STREAM = '018f0000-0000-7000-8000-000000000001'
const NOW = 1_700_000_000_000

const texts = (count: number) => Array.from({ length: count }, (_, i) => `["calls",${i},{"n":"[${i}],"}]`)
const answer = (change: Partial<WireAnswer> = {}): Outcome => ({
  kind: 'answered',
  answer: { received: {}, rejected: [], retry: [], serverTime: NOW, ...change },
})
const holds = (from: number, to: number) => answer({ received: { [STREAM]: [[from, to]] } })

async function setUp(events: number, script: (batch: WireBatch, call: number) => Outcome) {
  const outbox = createMemoryOutbox({ random: () => 'device' })
  const owner = new UsageOwner(STREAM, 'acme')
  if (events > 0) await outbox.append(owner.group(texts(events), { perSegment: 4 }))
  const seen = {
    sent: [] as WireBatch[],
    inFlight: [] as (number | undefined)[],
    received: 0,
    dead: [] as DeadLetter[],
    failed: [] as FailedOutcome[],
    deferredMs: [] as number[],
    policies: [] as Policy[],
    nowMs: NOW,
    leaseMs: 0,
  }
  const count = (claim: Claim | undefined) => claim?.segments.reduce((sum, segment) => sum + segment.count, 0)
  const limits = { maxBatchBytes: 100_000, maxBatchEvents: 100 }
  const turn = createDeliver({
    outbox,
    accountTag: 'acme',
    device: 'device',
    limits,
    get leaseMs() {
      return seen.leaseMs
    },
    now: () => seen.nowMs,
    clock: createClockEvidence({ now: () => seen.nowMs, monotonic: () => seen.nowMs }),
    send: async (text) => {
      const batch = wireBatch.parse(JSON.parse(text))
      return script(batch, seen.sent.push(batch) - 1)
    },
    hooks: {
      onSending: (claim) => seen.inFlight.push(count(claim)),
      onSettled: ({ received, dead }) => {
        seen.received += received
        seen.dead.push(...dead)
      },
      onFailed: (outcome) => seen.failed.push(outcome),
      onDeferred: (delayMs) => seen.deferredMs.push(delayMs),
      onPolicy: (policy) => seen.policies.push(policy),
    },
  })
  return { outbox, turn, seen, limits, waiting: async () => (await outbox.totals()).events }
}

const eventsIn = ({ segments }: WireBatch) => segments.reduce((sum, { events }) => sum + events.length, 0)

test('a text that was changed under its seal is set aside as soon as a relay finds fault with it', async () => {
  const refused: Outcome = { kind: 'refused', status: 400, code: 'bad_batch', detail: 'No.' }
  const isSound = ({ segments }: WireBatch) => segments.every(({ events }) => events.every(Array.isArray))
  const { outbox, turn, seen } = await setUp(0, (batch) => (isSound(batch) ? holds(0, 3) : refused))
  const group = new UsageOwner(STREAM, 'acme').group(texts(8), { perSegment: 4 })
  const segments = group.segments.map((segment, nth) => {
    const changed = nth === 1 ? { ...segment, body: '{"a":1},2,3,4' } : segment
    return { ...changed, seal: sealOf(changed) }
  })
  await outbox.append({ ...group, segments })
  expect([await turn(), await turn()].map(({ kind }) => kind)).toEqual(['more', 'empty'])
  expect(seen.sent.map(eventsIn)).toEqual([8, 4])
  expect(seen).toMatchObject({ received: 4, dead: [], failed: [] })
  expect(await outbox.quarantined()).toMatchObject([{ reason: 'not_events', row: segments[1] }])
  expect(await outbox.streams()).toMatchObject([{ recorded: 8, settled: 4, dropped: { corrupt: 4 } }])
})

describe('deliver: answered', () => {
  test('everything taken, and nothing behind it: empty without another look', async () => {
    const { turn, seen, waiting } = await setUp(6, () => holds(0, 5))
    expect(await turn()).toEqual({ kind: 'empty' })
    expect(seen.sent[0]).toMatchObject({
      v: 1,
      sentAt: NOW,
      device: 'device',
      streams: [{ id: STREAM, recorded: 6 }],
      segments: [{ stream: STREAM, first: 0 }, { first: 4 }],
    })
    expect(await turn()).toEqual({ kind: 'empty' })
    expect([seen.received, seen.inFlight, await waiting()]).toEqual([6, [6, undefined], 0])
  })

  test('what lies behind is more', async () => {
    const { turn, limits } = await setUp(12, (_, call) => holds(0, call * 4 + 3))
    limits.maxBatchEvents = 4
    expect([await turn(), await turn(), await turn()].map(({ kind }) => kind)).toEqual(['more', 'more', 'empty'])
  })

  describe('what lies behind, for a turn that follows', () => {
    async function setUpBatches() {
      const world = await setUp(12, (_, call) => holds(call * 4, call * 4 + 3))
      world.limits.maxBatchEvents = 4
      const claims = vi.spyOn(world.outbox, 'claim')
      const firsts = () => world.seen.sent.map(({ segments }) => segments[0]?.first)
      return { ...world, claims, firsts }
    }

    test('is claimed with the settlement', async () => {
      const { turn, claims, firsts, waiting } = await setUpBatches()
      expect([await turn(), await turn(true), await turn(true)].map(({ kind }) => kind)).toEqual([
        'more',
        'more',
        'empty',
      ])
      expect([claims.mock.calls.length, firsts(), await waiting()]).toEqual([1, [0, 4, 8], 0])
    })

    test('is claimed anew by one that comes later: it may have been purged since', async () => {
      const { turn, claims, firsts, outbox } = await setUpBatches()
      await turn()
      await outbox.purge({ reason: 'purged' })
      expect(await turn()).toEqual({ kind: 'more' })
      expect([claims.mock.calls.length, firsts()]).toEqual([2, [0, undefined]])
    })

    test('is claimed anew where leases keep senders apart', async () => {
      const { turn, claims, firsts, seen } = await setUpBatches()
      seen.leaseMs = 60_000
      await turn()
      await turn(true)
      expect([claims.mock.calls.length, firsts()]).toEqual([2, [0, 4]])
      expect(claims.mock.calls[1]?.[0]).toMatchObject({ leaseMs: 60_000 })
    })

    test('is claimed within the limits that the answer brought', async () => {
      const policy = { maxBatchEvents: 2 }
      const { turn, limits, seen } = await setUp(12, () => answer({ received: { [STREAM]: [[0, 3]] }, policy }))
      limits.maxBatchEvents = 4
      await turn()
      await turn(true)
      expect(seen.sent.map(eventsIn)).toEqual([4, 2])
    })
  })

  test('part taken: only the rest is sent again', async () => {
    const { turn, seen, waiting } = await setUp(6, (_, call) => (call === 0 ? holds(0, 2) : holds(0, 5)))
    expect(await turn()).toEqual({ kind: 'more' })
    expect(await waiting()).toBe(3)
    await turn()
    expect(seen.sent[1]?.segments.map(({ first, events }) => [first, events.length])).toEqual([
      [3, 1],
      [4, 2],
    ])
    expect(await waiting()).toBe(0)
  })

  test('nothing taken: waits and says so, keeps all', async () => {
    const { turn, seen, waiting } = await setUp(3, () => answer())
    expect(await turn()).toEqual({ kind: 'wait', atLeastMs: 0 })
    expect(seen.failed).toMatchObject([{ kind: 'later', code: 'bad_answer' }])
    expect(await waiting()).toBe(3)
  })

  test('a rejected event becomes a dead letter with its own text and reason', async () => {
    const rejected = [{ stream: STREAM, seq: 1, code: 'invalid_data', detail: 'n is no number' }]
    const { turn, seen, outbox, waiting } = await setUp(3, () => ({
      ...answer({
        received: {
          [STREAM]: [
            [0, 0],
            [2, 2],
          ],
        },
        rejected,
      }),
    }))
    expect(await turn()).toEqual({ kind: 'more' })
    expect(seen.dead).toMatchObject([{ seq: 1, event: texts(3)[1], code: 'invalid_data', detail: 'n is no number' }])
    expect(await outbox.deadLetters()).toEqual(seen.dead)
    expect(await waiting()).toBe(0)
  })

  test('deferred events wait, and somebody is told when to look again', async () => {
    const retry = [{ stream: STREAM, from: 0, to: 3, delayMs: 60_000 }]
    const { turn, seen, waiting } = await setUp(4, (_, call) => (call === 0 ? answer({ retry }) : holds(0, 3)))
    expect(await turn()).toEqual({ kind: 'more' })
    expect(seen.deferredMs).toEqual([60_000])
    expect(await turn()).toEqual({ kind: 'empty' })
    seen.nowMs += 60_000
    expect(await turn()).toEqual({ kind: 'empty' })
    expect(await waiting()).toBe(0)
  })

  test.each([
    ['at once', 0, 1_000],
    ['in a thousand years', 31_536_000_000_000, 86_400_000],
  ])('a deferral %s is brought within bounds', async (_, delayMs, boundMs) => {
    const retry = [{ stream: STREAM, from: 0, to: 3, delayMs }]
    const { turn, seen } = await setUp(4, () => answer({ retry }))
    await turn()
    expect(seen.deferredMs).toEqual([boundMs])
    seen.nowMs += boundMs - 1
    expect(await turn()).toEqual({ kind: 'empty' })
    seen.nowMs += 1
    await turn()
    expect(seen.sent).toHaveLength(2)
  })

  test('deferring what was not sent is no progress: no hot loop', async () => {
    const retry = [
      { stream: STREAM, from: 4, to: 9, delayMs: 5_000 },
      { stream: 'another', from: 0, to: 3, delayMs: 5_000 },
    ]
    const { turn, seen } = await setUp(4, () => answer({ retry }))
    expect(await turn()).toEqual({ kind: 'wait', atLeastMs: 0 })
    expect(seen.deferredMs).toEqual([])
  })

  test('the relay’s policy lowers limits, never raises them', async () => {
    const policy = { maxBatchEvents: 4, maxBatchBytes: 900_000, holdMs: 5 }
    const { turn, seen, limits } = await setUp(12, (batch) => {
      const top = batch.segments.at(-1)
      return answer({ received: { [STREAM]: [[0, (top?.first as number) + (top?.events.length ?? 0) - 1]] }, policy })
    })
    limits.maxBatchEvents = 8
    await turn()
    await turn()
    expect(seen.sent.map(eventsIn)).toEqual([8, 4])
    expect(limits).toEqual({ maxBatchEvents: 4, maxBatchBytes: 100_000 })
    expect(seen.policies).toEqual([policy, policy])
  })

  test('counters alone are reported, without events', async () => {
    const { outbox, turn, seen } = await setUp(0, () => answer())
    const head = { stream: STREAM, accountTag: 'acme', openedAtMs: 0, recorded: 0, bytes: 0, refused: { not_json: 1 } }
    await outbox.append({ head, segments: [], strict: false })
    expect(await turn()).toEqual({ kind: 'more' })
    expect(seen.sent[0]).toMatchObject({
      streams: [{ id: STREAM, recorded: 0, refused: { not_json: 1 } }],
      segments: [],
    })
    expect(await turn()).toEqual({ kind: 'empty' })
  })
})

describe('deliver: too large', () => {
  test('halves until it fits, remembers, and grows back slowly', async () => {
    const { turn, seen, limits, waiting } = await setUp(20, (batch) =>
      eventsIn(batch) > 6 ? { kind: 'too-large' } : holds(0, (batch.segments.at(-1)?.first as number) + 20),
    )
    expect(await turn()).toEqual({ kind: 'more' })
    expect(await turn()).toEqual({ kind: 'more' })
    expect(await turn()).toEqual({ kind: 'more' })
    expect(seen.sent.map(eventsIn)).toEqual([20, 8, 4])
    expect(limits.maxBatchEvents, 'one hundredth of the configured 100 for each answer').toBe(5)
    expect(await waiting()).toBe(16)
  })

  test('cuts a single segment, and the event that is too large by itself is buried, nothing else', async () => {
    const tooLarge = 2
    const { turn, seen, waiting } = await setUp(4, (batch) => {
      const first = batch.segments[0]?.first as number
      const last = first + eventsIn(batch) - 1
      return first <= tooLarge && tooLarge <= last ? { kind: 'too-large' } : holds(first, last)
    })
    let turns = 0
    while ((await turn()).kind === 'more') expect(++turns).toBeLessThan(20)
    expect(seen.dead).toMatchObject([{ seq: tooLarge, code: 'event_too_large', event: texts(4)[tooLarge] }])
    expect([seen.received, await waiting()]).toEqual([3, 0])
  })

  test('a report without events that is too large parks, and shrinks nothing', async () => {
    const { outbox, turn, seen, limits } = await setUp(0, () => ({ kind: 'too-large' }))
    const head = { stream: STREAM, accountTag: 'acme', openedAtMs: 0, recorded: 0, bytes: 0, refused: { not_json: 1 } }
    await outbox.append({ head, segments: [], strict: false })
    expect(await turn()).toMatchObject({ kind: 'wait', atLeastMs: 300_000 })
    expect(limits.maxBatchEvents).toBe(100)
    expect(seen.failed).toMatchObject([{ kind: 'refused', status: 413 }])
  })
})

describe('deliver: failed', () => {
  test.each<[Outcome, object]>([
    [
      { kind: 'unauthorized', detail: 'no' },
      { kind: 'wait', atLeastMs: 0 },
    ],
    [
      { kind: 'refused', status: 403, code: 'c', detail: 'd' },
      { kind: 'wait', atLeastMs: 300_000 },
    ],
    [
      { kind: 'later', delayMs: 0, code: 'c', detail: 'd' },
      { kind: 'wait', atLeastMs: 0, byServer: false },
    ],
    [
      { kind: 'later', delayMs: 9_000, code: 'c', detail: 'd' },
      { kind: 'wait', atLeastMs: 9_000, byServer: true },
    ],
  ])('%j keeps all, gives the claim back and waits', async (outcome, turned) => {
    const { turn, seen, waiting } = await setUp(5, () => outcome)
    seen.leaseMs = 60_000
    expect(await turn()).toEqual(turned)
    expect(seen.failed).toEqual([outcome])
    expect(await waiting()).toBe(5)
    await turn()
    expect(seen.sent.map(eventsIn)).toEqual([5, 5])
  })

  test('what throws on the way is not taken for delivered, and ends the flight', async () => {
    const boom = new Error('boom')
    const { turn, seen, waiting } = await setUp(5, () => {
      throw boom
    })
    expect(await failure(turn)).toBe(boom)
    expect([await waiting(), seen.inFlight]).toEqual([5, [5, undefined]])
  })
})

describe('narrowClaim', () => {
  const claim: Claim = {
    segments: new UsageOwner(STREAM, 'acme').group(texts(8), { perSegment: 4 }).segments,
    reports: [],
    more: false,
  }

  test('leaves what fits as it is', () => {
    expect(narrowClaim(claim, 8).segments.map((segment, i) => segment === claim.segments[i])).toEqual([true, true])
  })

  test('cuts inside a segment, event texts as they stand', () => {
    const { segments } = narrowClaim(claim, 6)
    expect(segments.map(({ first, count }) => [first, count])).toEqual([
      [0, 4],
      [4, 2],
    ])
    expect(segments[1]?.body).toBe(texts(8).slice(4, 6).join())
    expect(narrowClaim(claim, 4).segments).toHaveLength(1)
  })
})
