import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { RelayStore } from '../../src/relay/store/contract.ts'
import {
  buildIds,
  drain,
  event,
  events,
  idsOf,
  packed,
  request,
  type StoreHome,
  streamId,
  sumLedger,
  take,
} from './relay-store-kit.ts'

const batch = fc.record({
  kind: fc.constant('batch' as const),
  account: fc.constantFrom('a', 'b'),
  segments: fc.array(
    fc.record({
      stream: fc.nat(2),
      first: fc.nat(30),
      count: fc.integer({ min: 1, max: 12 }),
      meter: fc.constantFrom('m1', 'm2'),
      key: fc.option(fc.nat(6), { nil: undefined }),
      isOld: fc.boolean(),
    }),
    { maxLength: 4 },
  ),
  hold: fc.boolean(),
  isPacked: fc.boolean(),
  refused: fc.array(fc.record({ stream: fc.nat(2), seq: fc.nat(40) }), { maxLength: 4 }),
})
const deliver = fc.record({
  kind: fc.constant('deliver' as const),
  lane: fc.constantFrom('m1', 'm2', 'm1:late', 'm2:late'),
  maxEvents: fc.integer({ min: 1, max: 25 }),
  ordered: fc.boolean(),
  outcome: fc.constantFrom('accept', 'postpone', 'split', 'bury', 'park', 'forget'),
})
const operate = fc.record({
  kind: fc.constant('operate' as const),
  action: fc.constantFrom('replay', 'discard', 'release', 'resend', 'taken', 'give up', 'import failure'),
  pick: fc.nat(9),
})
const restart = fc.record({ kind: fc.constant('restart' as const) })
const steps = fc.array(
  fc.oneof(
    { weight: 5, arbitrary: batch },
    { weight: 5, arbitrary: deliver },
    { weight: 3, arbitrary: operate },
    { weight: 1, arbitrary: restart },
  ),
  { maxLength: 40 },
)
type Step = (typeof steps extends fc.Arbitrary<infer T> ? T : never) extends readonly (infer S)[] ? S : never

/** What happened, told by the calls' results alone. */
interface Story {
  readonly sent: Set<string>
  /** Accepted upstream, and not reported as failed since. */
  readonly settled: Set<string>
  readonly discarded: string[]
  deduplicated: number
  nowMs: number
}

/** Before this time an event is late. */
const LATE_MS = 1_000

async function runBatch(
  store: RelayStore,
  { account, segments, refused, hold, isPacked }: Extract<Step, { kind: 'batch' }>,
  story: Story,
) {
  // Streams differ between accounts, so that an id tells the account too.
  const id = (n: number): string => streamId(n + (account === 'a' ? 0 : 10))
  const list = segments.flatMap(({ stream, first, count, meter, key, isOld }) =>
    events(first, first + count - 1, {
      ...{ stream: id(stream), meter, ...(isOld ? { atMs: LATE_MS - 1 } : {}) },
      ...(key === undefined ? {} : { idempotencyKey: `key ${key}` }),
    }),
  )
  const numbers = refused.map(({ stream, seq }) => ({ stream: id(stream), seq }))
  const whole = request(list, { account, hold, refused: numbers })
  const result = await store.accept(isPacked ? packed(whole) : whole)
  expect(result.stored + result.duplicates + result.deduplicated).toBe(list.length)
  story.deduplicated += result.deduplicated
  for (const { stream, seq } of list) {
    story.sent.add(`${stream}-${seq}`)
    expect(result.received[stream]?.some(([from, to]) => from <= seq && seq <= to)).toBe(true)
  }
}

async function runDelivery(store: RelayStore, step: Extract<Step, { kind: 'deliver' }>, story: Story) {
  const { lane, maxEvents, outcome, ordered } = step
  const late = lane.endsWith(':late') ? {} : { late: { lane: `${lane}:late`, beforeMs: LATE_MS } }
  const delivery = await take(store, { lane, maxEvents, ordered, leaseMs: 2, nowMs: ++story.nowMs, ...late })
  if (!delivery) return
  if (outcome === 'accept') {
    settle(story, idsOf(delivery))
    await store.acceptDelivery(delivery.id, story.nowMs)
  } else if (outcome === 'bury') {
    await store.buryDelivery(delivery.id, 'refused', 'no', story.nowMs)
  } else if (outcome === 'split' && delivery.rows > 1) {
    await store.splitDelivery(delivery.id, buildIds)
  } else if (outcome === 'postpone') {
    await store.postponeDelivery(delivery.id, story.nowMs + 3, 'later')
  } else if (outcome === 'park') {
    await store.parkDelivery(delivery.id, 'in doubt', story.nowMs)
  }
}

/** An event that is settled twice is billed twice. */
function settle(story: Story, list: readonly string[]): void {
  for (const id of list) {
    expect(story.settled).not.toContain(id)
    story.settled.add(id)
  }
}

async function runOperation(store: RelayStore, step: Extract<Step, { kind: 'operate' }>, story: Story): Promise<void> {
  const letters = await store.deadLetters({ limit: 10_000 })
  const chosen = letters.filter((_, index) => index % 10 <= step.pick)
  const letterIds = chosen.map(({ id }) => id)
  const [parked] = await store.parkedDeliveries()
  switch (step.action) {
    case 'replay':
      expect(await store.replayDeadLetters(letterIds)).toHaveLength(chosen.length)
      return
    case 'discard':
      expect(await store.deleteDeadLetters(letterIds)).toBe(chosen.length)
      story.discarded.push(...chosen.map(({ stream, seq }) => `${stream}-${seq}`))
      return
    case 'release':
      await store.releaseHeld({ tenant: 'default', account: step.pick % 2 ? 'a' : 'b' })
      return
    case 'resend':
      if (parked) await store.resolveParked(parked.id, 'resend', story.nowMs)
      return
    case 'give up':
      if (parked) await store.resolveParked(parked.id, 'bury', story.nowMs)
      return
    case 'taken':
      if (!parked) return
      settle(story, parked.events)
      await store.resolveParked(parked.id, 'accepted', story.nowMs)
      return
    case 'import failure':
      await failImport(store, [...story.settled][step.pick], story)
  }
}

async function failImport(store: RelayStore, id: string | undefined, story: Story): Promise<void> {
  if (id === undefined) return
  const cut = id.lastIndexOf('-')
  const event = { stream: id.slice(0, cut), seq: Number(id.slice(cut + 1)), meter: 'm1', atMs: 1, data: '1' }
  const mark = { mark: `${story.nowMs++} ${id}`, markExpiresAtMs: 1e15, tenant: 'default', needsEdit: false }
  expect(await store.buryForwarded({ ...event, ...mark, code: 'import', detail: '' }, story.nowMs)).toBe('buried')
  story.settled.delete(id)
}

async function settleAll(store: RelayStore, story: Story): Promise<void> {
  for (const account of ['a', 'b']) await store.releaseHeld({ tenant: 'default', account })
  for (const { id } of await store.parkedDeliveries({ limit: 10_000 })) await store.resolveParked(id, 'resend', 0)
  for (const lane of ['m1', 'm2', 'm1:late', 'm2:late']) settle(story, await drain(store, { lane }))
  const letters = await store.deadLetters({ limit: 10_000 })
  const buried = letters.map(({ stream, seq }) => `${stream}-${seq}`)
  const ends = [...story.settled, ...buried, ...story.discarded]
  expect(new Set(ends).size).toBe(ends.length)
  for (const id of ends) expect(story.sent).toContain(id)
  // All others had a key that another event of their account had used before.
  expect(ends.length + story.deduplicated).toBe(story.sent.size)
  expect(await store.totals()).toMatchObject({
    ...{ received: story.sent.size, forwarded: story.settled.size, dead: buried.length, held: 0 },
    ...{ discarded: story.discarded.length, deduplicated: story.deduplicated },
  })
  for (const { waiting, inDelivery, parked } of await store.backlog()) expect(waiting + inDelivery + parked).toBe(0)
}

/** Any interleaving of overlapping batches, deliveries, faults and restarts. */
export function describeProperties(makeHome: () => Promise<StoreHome>, runs = 100): void {
  describe('for any history', () => {
    test('each number is stored once and settled once, and the ledger balances', async () => {
      await fc.assert(
        fc.asyncProperty(steps, async (list) => {
          const home = await makeHome()
          let store = home.open()
          const story: Story = { sent: new Set(), settled: new Set(), discarded: [], deduplicated: 0, nowMs: 0 }
          try {
            for (const step of list) {
              if (step.kind === 'batch') await runBatch(store, step, story)
              else if (step.kind === 'deliver') await runDelivery(store, step, story)
              else if (step.kind === 'operate') await runOperation(store, step, story)
              else {
                await store.close()
                store = home.open()
              }
              await checkBalance(store)
            }
            expect(await home.verify()).toEqual([])
            await settleAll(store, story)
            expect(await home.verify()).toEqual([])
          } finally {
            await store.close()
            await home.remove()
          }
        }),
        { numRuns: runs },
      )
    })

    test('batches in one turn or in many: the same events are held', async () => {
      const lists = fc.array(fc.array(fc.nat(60), { maxLength: 20 }), { minLength: 1, maxLength: 8 })
      await fc.assert(
        fc.asyncProperty(lists, async (batches) => {
          const home = await makeHome()
          const store = home.open()
          try {
            const results = await Promise.all(
              batches.map((seqs) => store.accept(request(seqs.map((seq) => event(seq))))),
            )
            const distinct = new Set(batches.flat())
            expect(results.reduce((sum, { stored }) => sum + stored, 0)).toBe(distinct.size)
            const delivered = await drain(store)
            expect(delivered).toHaveLength(distinct.size)
            expect(new Set(delivered)).toEqual(new Set([...distinct].map((seq) => `${streamId(1)}-${seq}`)))
          } finally {
            await store.close()
            await home.remove()
          }
        }),
        { numRuns: Math.ceil(0.3 * runs) },
      )
    })
  })
}

async function checkBalance(store: RelayStore): Promise<void> {
  for (const row of await store.ledger()) {
    const declared = Object.values(row.declared).reduce((sum, count) => sum + count, 0)
    expect(row.missing).toBeGreaterThanOrEqual(0)
    expect(row.recorded).toBe(row.received + declared + row.rejected + row.missing)
    const known = row.forwarded + row.dead + row.discarded + row.deduplicated + row.held
    expect(known).toBeLessThanOrEqual(row.received)
  }
  expect(await store.totals()).toEqual(await sumLedger(store))
}
