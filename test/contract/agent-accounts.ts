import { describe, expect, test } from 'vitest'
import type { AgentBench } from './agent.ts'
import { eventually, expected, flushUntil, numbersById, recordCalls, tokenOf } from './agent-kit.ts'

/** Across starts: what waited is delivered, and never under another account's token. */
export function accountContract(bench: AgentBench): void {
  const { kind, start } = bench

  describe('accounts and starts', () => {
    test('events travel under the token of their account', async () => {
      const agent = await start({ account: 'a' })
      const ids = await recordCalls(agent, 2)
      await flushUntil(agent, bench.relay, 2)
      const tokens = (await bench.relay.events()).map(({ id, token }) => [id, token])
      expect(tokens).toEqual(ids.map((id) => [id, tokenOf('a')]))
    })

    if (!kind.keeps) return

    test('the next start delivers what waited, under its old ids, and numbers anew in a stream of its own', async () => {
      const first = await start()
      await bench.relay.setDown(true)
      const old = await recordCalls(first, 3)
      await first.close()
      await bench.relay.setDown(false)
      const second = await start()
      const [fresh] = await recordCalls(second, 1, 3)
      await flushUntil(second, bench.relay, 4)
      expect(fresh).toMatch(/-0$/)
      expect(await numbersById(bench.relay)).toEqual(expected([...old, fresh ?? '']))
      const streams = await second.streams()
      expect(streams.map(({ recorded, settled }) => [recorded, settled]).sort()).toEqual([
        [1, 1],
        [3, 3],
      ])
    })

    test('by itself, without a new event or a call', async () => {
      const first = await start()
      await bench.relay.setDown(true)
      const ids = await recordCalls(first, 2)
      await first.close()
      await bench.relay.setDown(false)
      await start({ flushIntervalMs: 100 })
      await eventually(async () => expect(await numbersById(bench.relay)).toEqual(expected(ids)))
    })

    test('another account’s events wait for their own sign-in', async () => {
      const first = await start({ account: 'a' })
      await bench.relay.setDown(true)
      const ofA = await recordCalls(first, 2)
      await first.close()
      await bench.relay.setDown(false)
      const second = await start({ account: 'b' })
      const ofB = await recordCalls(second, 1, 2)
      await flushUntil(second, bench.relay, 1)
      await second.flush()
      expect(await numbersById(bench.relay)).toEqual(expected(ofB, 2))
      await second.close()
      const third = await start({ account: 'a' })
      await flushUntil(third, bench.relay, 3)
      const tokens = Object.fromEntries((await bench.relay.events()).map(({ id, token }) => [id, token]))
      expect(ofA.map((id) => tokens[id])).toEqual([tokenOf('a'), tokenOf('a')])
      expect(ofB.map((id) => tokens[id])).toEqual([tokenOf('b')])
    })

    test('a dead letter outlives its agent', async () => {
      const first = await start()
      await bench.relay.setRejected('calls')
      const ids = await recordCalls(first, 1)
      await first.flush()
      await eventually(async () => expect(await first.deadLetters()).toHaveLength(1))
      await first.close()
      await bench.relay.setRejected(undefined)
      const second = await start()
      expect(await second.retryDeadLetters()).toBe(1)
      await flushUntil(second, bench.relay, 1)
      expect(await numbersById(bench.relay)).toEqual(expected(ids))
    })
  })
}
