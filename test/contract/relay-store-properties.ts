import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { RelayStore } from '../../src/relay/store/contract.ts'
import {
  buildIds,
  drain,
  event,
  events,
  idsOf,
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
    }),
    { maxLength: 4 },
  ),
  refused: fc.array(fc.record({ stream: fc.nat(2), seq: fc.nat(40) }), { maxLength: 4 }),
})
const deliver = fc.record({
  kind: fc.constant('deliver' as const),
  lane: fc.constantFrom('m1', 'm2'),
  maxEvents: fc.integer({ min: 1, max: 25 }),
  outcome: fc.constantFrom('accept', 'postpone', 'split', 'bury', 'forget'),
})
const restart = fc.record({ kind: fc.constant('restart' as const) })
const steps = fc.array(
  fc.oneof({ weight: 5, arbitrary: batch }, { weight: 4, arbitrary: deliver }, { weight: 1, arbitrary: restart }),
  { maxLength: 40 },
)
type Step = (typeof steps extends fc.Arbitrary<infer T> ? T : never) extends readonly (infer S)[] ? S : never

/** What happened, told by the calls' results alone. */
interface Story {
  readonly sent: Set<string>
  readonly settled: string[]
  nowMs: number
}

async function runBatch(
  store: RelayStore,
  { account, segments, refused }: Extract<Step, { kind: 'batch' }>,
  story: Story,
) {
  // Streams differ between accounts, so that an id tells the account too.
  const id = (n: number): string => streamId(n + (account === 'a' ? 0 : 10))
  const list = segments.flatMap(({ stream, first, count, meter }) =>
    events(first, first + count - 1, { stream: id(stream), meter }),
  )
  const result = await store.accept(
    request(list, { account, refused: refused.map(({ stream, seq }) => ({ stream: id(stream), seq })) }),
  )
  expect(result.stored + result.duplicates).toBe(list.length)
  for (const { stream, seq } of list) {
    story.sent.add(`${stream}-${seq}`)
    expect(result.received[stream]?.some(([from, to]) => from <= seq && seq <= to)).toBe(true)
  }
}

async function runDelivery(store: RelayStore, step: Extract<Step, { kind: 'deliver' }>, story: Story) {
  const { lane, maxEvents, outcome } = step
  const delivery = await take(store, { lane, maxEvents, leaseMs: 2, nowMs: ++story.nowMs })
  if (!delivery) return
  if (outcome === 'accept') {
    story.settled.push(...idsOf(delivery))
    await store.acceptDelivery(delivery.id, story.nowMs)
  } else if (outcome === 'bury') {
    await store.buryDelivery(delivery.id, 'refused', 'no', story.nowMs)
  } else if (outcome === 'split' && delivery.rows > 1) {
    await store.splitDelivery(delivery.id, buildIds)
  } else if (outcome === 'postpone') {
    await store.postponeDelivery(delivery.id, story.nowMs + 3, 'later')
  }
}

/** Any interleaving of overlapping batches, deliveries, faults and restarts. */
export function describeProperties(makeHome: () => Promise<StoreHome>): void {
  describe('for any history', () => {
    test('each number is stored once and settled once, and the ledger balances', async () => {
      await fc.assert(
        fc.asyncProperty(steps, async (list) => {
          const home = await makeHome()
          let store = home.open()
          const story: Story = { sent: new Set(), settled: [], nowMs: 0 }
          try {
            for (const step of list) {
              if (step.kind === 'batch') await runBatch(store, step, story)
              else if (step.kind === 'deliver') await runDelivery(store, step, story)
              else {
                await store.close()
                store = home.open()
              }
              await checkBalance(store)
            }
            for (const lane of ['m1', 'm2']) story.settled.push(...(await drain(store, { lane })))
            const buried = (await store.deadLetters({ limit: 10_000 })).map(({ stream, seq }) => `${stream}-${seq}`)
            expect([...story.settled, ...buried].sort()).toEqual([...story.sent].sort())
            expect(await store.totals()).toMatchObject({ forwarded: story.settled.length, dead: buried.length })
            for (const { waiting, inDelivery } of await store.backlog()) expect(waiting + inDelivery).toBe(0)
          } finally {
            await store.close()
            await home.remove()
          }
        }),
        { numRuns: 60 },
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
        { numRuns: 30 },
      )
    })
  })
}

async function checkBalance(store: RelayStore): Promise<void> {
  for (const row of await store.ledger()) {
    const declared = Object.values(row.declared).reduce((sum, count) => sum + count, 0)
    expect(row.missing).toBeGreaterThanOrEqual(0)
    expect(row.recorded).toBe(row.received + declared + row.rejected + row.missing)
    expect(row.forwarded + row.dead).toBeLessThanOrEqual(row.received)
  }
  expect(await store.totals()).toEqual(await sumLedger(store))
}
