import { describe, expect, test } from 'vitest'
import type { AgentBench } from './agent.ts'
import {
  accepted,
  calls,
  eventually,
  expectEquation,
  expected,
  flushUntil,
  numbersById,
  type RelayDesk,
  recordCalls,
} from './agent-kit.ts'

const TEXT = 'x'.repeat(200)

async function reported(relay: RelayDesk, what: 'dropped' | 'refused', code: string): Promise<number> {
  return (await relay.reports()).reduce((sum, report) => sum + (report[what]?.[code] ?? 0), 0)
}

/** What the application decides: pausing, purging, limits, the end. */
export function controlContract(bench: AgentBench): void {
  const { kind, start } = bench

  describe('control', () => {
    test('pause() keeps everything back, for every reason given, and resume() lets it go', async () => {
      const agent = await start({ flushIntervalMs: 50 })
      agent.pause('consent')
      agent.pause('tariff')
      expect(agent.stats().pausedBy).toEqual(expect.arrayContaining(['consent', 'tariff']))
      const ids = await recordCalls(agent, 2)
      await agent.flush()
      agent.resume('consent')
      await agent.flush()
      expect(await bench.relay.events()).toEqual([])
      agent.resume('tariff')
      await eventually(async () => expect(await numbersById(bench.relay)).toEqual(expected(ids)))
      expect(agent.stats().pausedBy).toEqual([])
    })

    test('purge() erases what waits, and the relay hears how much', async () => {
      const agent = await start()
      // What is in a request already cannot be called back.
      agent.pause('consent')
      await recordCalls(agent, 3)
      expect(await agent.purge()).toMatchObject({ events: 3, deadLetters: 0, accountTag: kind.nobody ?? '' })
      agent.resume('consent')
      const ids = await recordCalls(agent, 1)
      await flushUntil(agent, bench.relay, 1)
      expect(await numbersById(bench.relay)).toEqual(expected(ids))
      expect(await bench.relay.reports()).toMatchObject([{ recorded: 4, dropped: { purged: 3 } }])
      await expectEquation(agent)
    })

    test.runIf(kind.limits ?? true)(
      'a full outbox refuses what is new, counts it, and takes events again when there is room',
      async () => {
        const agent = await start({ maxOutboxBytes: 5_000 })
        await bench.relay.setDown(true)
        const taken: string[] = []
        for (let n = 0; n < 100; n++) {
          const receipt = agent.record(calls, { n, text: TEXT })
          if (receipt.error) expect(receipt.error.code).toBe('outbox_full')
          else taken.push(receipt.id)
          await receipt.durable.catch(() => {})
        }
        expect(taken.length).toBeGreaterThan(10)
        expect(taken.length).toBeLessThan(25)
        await bench.relay.setDown(false)
        await flushUntil(agent, bench.relay, taken.length)
        await eventually(() => expect(agent.stats().waiting).toBe(0))
        await recordCalls(agent, 1, 100)
        await flushUntil(agent, bench.relay, taken.length + 1)
        expect(await reported(bench.relay, 'refused', 'outbox_full')).toBe(100 - taken.length)
        await expectEquation(agent)
      },
    )

    test.runIf(kind.limits ?? true)(
      'or gives up the oldest, where that was asked for: what arrived and what was dropped is all',
      async () => {
        const agent = await start({ maxOutboxBytes: 5_000, overflow: 'drop-oldest' })
        const told: number[] = []
        agent.on('dropped', ({ events, reason }) => reason === 'outbox_full' && told.push(events))
        // What is in a request stays, and what is newer gives way.
        agent.pause('consent')
        for (let n = 0; n < 100; n++) await accepted(agent.record(calls, { n, text: TEXT })).durable
        await eventually(() => expect(agent.stats().waitingBytes).toBeLessThanOrEqual(5_000))
        agent.resume('consent')
        await eventually(async () => {
          await agent.flush()
          const arrived = (await bench.relay.events()).length
          expect(arrived + (await reported(bench.relay, 'dropped', 'outbox_full'))).toBe(100)
        })
        const kept = Object.values(await numbersById(bench.relay))
        expect(kept).toContain(99)
        expect(kept).not.toContain(0)
        expect(told.reduce((sum, events) => sum + events, 0)).toBe(100 - kept.length)
        await expectEquation(agent)
      },
    )

    test('close() stores and sends what there is, once; record() is refused from then on', async () => {
      const agent = await start()
      const receipt = accepted(agent.record(calls, { n: 0 }))
      await Promise.all([agent.close(), agent.close()])
      expect(await numbersById(bench.relay)).toEqual({ [receipt.id]: 0 })
      const late = agent.record(calls, { n: 1 })
      expect(late.error?.code).toBe('closed')
      await expect(late.durable).rejects.toBe(late.error)
      await agent.flush()
      expect(await bench.relay.events()).toHaveLength(1)
    })

    if (!kind.hearsNetwork) return

    test('nothing is sent while the network is gone, and everything when it is back', async () => {
      const setOnline = bench.home.setOnline as (isOnline: boolean) => Promise<void>
      const agent = await start({ flushIntervalMs: 50 })
      await agent.flush()
      await setOnline(false)
      await eventually(() => expect(agent.stats().pausedBy).toEqual(['offline']))
      const ids = await recordCalls(agent, 2)
      await agent.flush()
      expect(await bench.relay.events()).toEqual([])
      await setOnline(true)
      await eventually(async () => expect(await numbersById(bench.relay)).toEqual(expected(ids)))
      expect(agent.stats().pausedBy).toEqual([])
    })
  })
}
