import { describe, expect, test } from 'vitest'
import type { AgentBench } from './agent.ts'
import { eventually, eventuallyStats, expected, flushUntil, numbersById, recordCalls, tokenOf } from './agent-kit.ts'

/** Several agents on one outbox: tabs, workers, processes. */
export function sharingContract(bench: AgentBench): void {
  const { kind, start } = bench
  if (!kind.shares) return

  describe('agents that share an outbox', () => {
    test('deliver what each of them records, once', async () => {
      const wishes = { flushIntervalMs: 100 }
      const agents = [await start(wishes), await start(wishes), await start(wishes)]
      const recorded = await Promise.all(agents.map((agent, nth) => recordCalls(agent, 10, nth * 100)))
      const all = Object.assign({}, ...recorded.map((ids, nth) => expected(ids, nth * 100))) as Record<string, number>
      await eventually(async () => expect(await numbersById(bench.relay)).toEqual(all))
      for (const agent of agents) await eventuallyStats(agent, kind, { waiting: 0 })
    })

    test('each of them may flush for itself', async () => {
      const agents = [await start(), await start()]
      let n = 0
      const ids: string[] = []
      for (const agent of agents) {
        ids.push(...(await recordCalls(agent, 1, n++)))
        await agent.flush()
        expect(await numbersById(bench.relay)).toEqual(expected(ids))
      }
    })

    test('one delivers what another left behind', async () => {
      await bench.relay.setDown(true)
      const first = await start({ flushIntervalMs: 100 })
      const second = await start({ flushIntervalMs: 100 })
      const ids = await recordCalls(first, 3)
      await first.close()
      await bench.relay.setDown(false)
      await flushUntil(second, bench.relay, 3)
      expect(await numbersById(bench.relay)).toEqual(expected(ids))
    })

    test('of two accounts never send each other’s events', async () => {
      const a = await start({ account: 'a', flushIntervalMs: 100 })
      const b = await start({ account: 'b', flushIntervalMs: 100 })
      const ids = { a: await recordCalls(a, 2), b: await recordCalls(b, 2, 2) }
      await eventually(async () => expect(await bench.relay.events()).toHaveLength(4))
      for (const { id, token } of await bench.relay.events()) {
        expect(token).toBe(tokenOf(ids.a.includes(id) ? 'a' : 'b'))
      }
    })
  })
}
