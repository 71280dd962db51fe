import { describe, expect, test } from 'vitest'
import type { AgentBench } from './agent.ts'
import {
  accepted,
  calls,
  eventually,
  eventuallyStats,
  expectEquation,
  expected,
  flushUntil,
  loose,
  numbersById,
  type RelayFault,
  recordCalls,
} from './agent-kit.ts'

const FAULTS: readonly RelayFault[] = [
  ...(['lost', 'offline'] as const),
  ...[301, 400, 401, 403, 404, 409, 413, 418, 422, 500, 502, 503],
  { status: 429, retryAfterS: 1 },
  { status: 503, retryAfterS: 1 },
]

/** From the outbox to the relay: once, whatever happens on the way. */
export function deliveryContract(bench: AgentBench): void {
  const { start } = bench

  describe('delivery', () => {
    test('flush() resolves when all that was recorded has arrived', async () => {
      const agent = await start()
      const receipts = [1, 2, 3].map((n) => accepted(agent.record(calls, { n })))
      await agent.flush()
      const ids = receipts.map(({ id }) => id)
      expect(await numbersById(bench.relay)).toEqual(expected(ids, 1))
      await eventually(() => expect(agent.stats()).toMatchObject({ waiting: 0, waitingBytes: 0, storing: 0 }))
      expect(await agent.streams()).toMatchObject([{ recorded: 3, settled: 3, dead: 0, dropped: {} }])
    })

    test('begins by itself within the interval', async () => {
      const agent = await start({ flushIntervalMs: 200 })
      const ids = await recordCalls(agent, 2)
      await eventually(async () => expect(await numbersById(bench.relay)).toEqual(expected(ids)))
    })

    test('is of few requests, however many events', async () => {
      const agent = await start()
      const receipts = Array.from({ length: 3_000 }, (_, n) => accepted(agent.record(calls, { n })))
      await flushUntil(agent, bench.relay, 3_000)
      expect(await numbersById(bench.relay)).toEqual(expected(receipts.map(({ id }) => id)))
      expect(await bench.relay.requests()).toBeLessThanOrEqual(12)
      await expectEquation(agent)
    })

    test.each(FAULTS.map((fault) => [JSON.stringify(fault), fault] as const))(
      'is once, through %s',
      async (_, fault) => {
        const agent = await start()
        await bench.relay.fail([fault, fault])
        const ids = await recordCalls(agent, 4)
        await flushUntil(agent, bench.relay, 4)
        const more = await recordCalls(agent, 2, 4)
        await flushUntil(agent, bench.relay, 6)
        expect(await numbersById(bench.relay)).toEqual(expected([...ids, ...more]))
        await eventuallyStats(agent, bench.kind, { waiting: 0, deadLetters: 0 })
        expect(await agent.streams()).toMatchObject([{ recorded: 6, settled: 6, dead: 0, dropped: {} }])
      },
    )

    test('waits while the relay is down, and goes on when it is back', async () => {
      const agent = await start({ flushIntervalMs: 100 })
      await bench.relay.setDown(true)
      const ids = await recordCalls(agent, 2)
      await agent.flush()
      expect(await bench.relay.events()).toEqual([])
      await expectEquation(agent)
      expect(agent.stats().waiting).toBe(2)
      await bench.relay.setDown(false)
      await flushUntil(agent, bench.relay, 2)
      expect(await numbersById(bench.relay)).toEqual(expected(ids))
    })

    test('sets aside what the relay rejects, and only that', async () => {
      const agent = await start()
      await bench.relay.setRejected('loose')
      const [before] = await recordCalls(agent, 1)
      const dead = accepted(agent.record(loose, { n: 7 }, { at: 5_000 }))
      const [after] = await recordCalls(agent, 1, 1)
      await agent.flush()
      await eventually(async () => expect(await agent.deadLetters()).toHaveLength(1))
      expect(await numbersById(bench.relay)).toEqual({ [before ?? '']: 0, [after ?? '']: 1 })
      const [letter] = await agent.deadLetters()
      expect(letter).toMatchObject({ code: 'unknown_meter', event: '["loose",5000,{"n":7}]' })
      expect(`${letter?.stream}-${letter?.seq}`).toBe(dead.id)
      const line = JSON.parse(await agent.exportDeadLetters()) as object
      expect(line).toMatchObject({ id: dead.id, code: 'unknown_meter', event: ['loose', 5_000, { n: 7 }] })
      await eventually(() => expect(agent.stats()).toMatchObject({ waiting: 0, deadLetters: 1 }))
      await expectEquation(agent)
    })

    test('sends a dead letter again on request, under its old id, or forgets it', async () => {
      const agent = await start()
      await bench.relay.setRejected('loose')
      const kept = accepted(agent.record(loose, { n: 1 }))
      const forgotten = accepted(agent.record(loose, { n: 2 }))
      await agent.flush()
      await eventually(async () => expect(await agent.deadLetters()).toHaveLength(2))
      const letters = await agent.deadLetters()
      await agent.deleteDeadLetters(letters.filter(({ seq }) => forgotten.id.endsWith(`-${seq}`)))
      await bench.relay.setRejected(undefined)
      expect(await agent.retryDeadLetters()).toBe(1)
      await flushUntil(agent, bench.relay, 1)
      expect(await numbersById(bench.relay)).toEqual({ [kept.id]: 1 })
      expect(await agent.deadLetters()).toEqual([])
      expect(await agent.streams()).toMatchObject([{ recorded: 2, settled: 1, dead: 1 }])
      await expectEquation(agent)
    })
  })
}
