import { describe, expect, test } from 'vitest'
import * as z from 'zod'
import { defineMeter } from '../../src/meter/define-meter.ts'
import type { AgentBench } from './agent.ts'
import { accepted, bills, calls, clicks, eventually, flushUntil, loose, numbersById, recordCalls } from './agent-kit.ts'

/** record(): what it takes, what it refuses, what its receipts say. */
export function recordingContract(bench: AgentBench): void {
  const { kind, start } = bench

  describe('recording', () => {
    test('is synchronous; ids are numbered, and receipts say what events survive', async () => {
      const agent = await start()
      const plain = accepted(agent.record(calls, { n: 1 }))
      const stream = plain.id.slice(0, -2)
      expect(plain.id).toBe(`${stream}-0`)
      expect(await plain.durable).toBe(kind.plain)
      const strict = accepted(agent.record(bills, { n: 2 }))
      expect(strict.id).toBe(`${stream}-1`)
      expect(await strict.durable).toBe(kind.strict)
      expect(agent.stats()).toMatchObject({ stream, recorded: 2, refused: {}, durability: kind.plain })
    })

    test('never throws for what is recorded: the receipt has the reason, the relay hears the count', async () => {
      const agent = await start({ maxEventBytes: 1_000 })
      const heard: string[] = []
      agent.on('refused', ({ code }) => heard.push(code))
      const refusals = [
        agent.record(calls, { n: 'x' } as never),
        agent.record(calls, { n: 1 }, { at: new Date(Number.NaN) }),
        agent.record(calls, { n: 1 }, { at: '2026-01-01' as never }),
        agent.record(calls, { n: 1 }, { idempotencyKey: '' }),
        agent.record(calls, { n: 1, text: 'x'.repeat(1_000) }),
        agent.record(loose, { n: 1n }),
        agent.record(defineMeter('calls', z.any()), { n: 1 }),
        agent.record(undefined as never, null as never, null as never),
      ]
      const codes = ['invalid_data', 'bad_time', 'bad_time', 'bad_idempotency_key', 'event_too_large', 'not_json']
      expect(refusals.map(({ error }) => error?.code)).toEqual([...codes, 'unknown_meter', 'unknown_meter'])
      expect(refusals.map(({ id }) => id)).toEqual(refusals.map(() => undefined))
      await expect(refusals[0]?.durable).rejects.toBe(refusals[0]?.error)
      expect(heard).toHaveLength(8)
      const refused = {
        ...{ invalid_data: 1, bad_time: 2, bad_idempotency_key: 1, event_too_large: 1, not_json: 1, unknown_meter: 2 },
      }
      expect(agent.stats()).toMatchObject({ recorded: 0, refused })
      await recordCalls(agent, 1)
      await flushUntil(agent, bench.relay, 1)
      expect(await bench.relay.reports()).toMatchObject([{ recorded: 1, dropped: {}, refused }])
    })

    test('keeps time, key and data as they were given', async () => {
      const agent = await start()
      const text = 'Zürich — 東京 🚀 "quoted" \\ \n\u2028'
      const before = Date.now()
      agent.record(calls, { n: -0.5, text }, { at: new Date(1_700_000_000_123), idempotencyKey: 'order-7' })
      agent.record(loose, { deep: [1, { a: null, b: [true, ''] }] }, { at: 1_700_000_000_999 })
      agent.record(calls, { n: 1e21 })
      await flushUntil(agent, bench.relay, 3)
      const [first, second, third] = (await bench.relay.events()).map(({ event }) => event)
      expect(first).toEqual(['calls', 1_700_000_000_123, { n: -0.5, text }, 'order-7'])
      expect(second).toEqual(['loose', 1_700_000_000_999, { deep: [1, { a: null, b: [true, ''] }] }])
      expect(third).toEqual(['calls', expect.any(Number), { n: 1e21 }])
      expect(third?.[1]).toBeGreaterThanOrEqual(before)
      expect(third?.[1]).toBeLessThanOrEqual(Date.now())
    })

    test('tells what was stored, until one stops listening', async () => {
      const agent = await start()
      const stored: object[] = []
      const stop = agent.on('stored', (event) => stored.push({ ...event }))
      await recordCalls(agent, 3)
      await eventually(() => expect(stored).toEqual([{ events: 3, durability: kind.plain }]))
      stop()
      await recordCalls(agent, 1)
      await agent.flush()
      expect(stored).toHaveLength(1)
    })

    test('adds up what its meter says, and sends one event for each window and kind', async () => {
      const agent = await start()
      // Until all of an agent's code is there, each event stands for itself; this needs all of it.
      await agent.deadLetters()
      // A window that does not end while the test records.
      const at = Math.ceil(Date.now() / 1_000) * 1_000
      const receipts = [
        ...Array.from({ length: 10 }, () => agent.record(clicks, { kind: 'a', n: 0.1 }, { at })),
        agent.record(clicks, { kind: 'b', n: 5 }, { at }),
      ].map(accepted)
      expect(await receipts[0]?.durable).toBe(kind.plain)
      expect(new Set(receipts.map(({ id }) => id)).size).toBe(2)
      await flushUntil(agent, bench.relay, 2)
      expect(await numbersById(bench.relay)).toEqual({ [receipts[0]?.id ?? '']: 1, [receipts.at(-1)?.id ?? '']: 5 })
      expect(agent.stats().openWindows).toBe(0)
    })

    test('closes windows that are open when it is closed', async () => {
      const agent = await start()
      const [receipt] = [1, 2, 3].map((n) => accepted(agent.record(clicks, { kind: 'a', n }, { at: Date.now() + 500 })))
      await agent.close()
      const sums = Object.values(await numbersById(bench.relay)) as number[]
      expect(sums.reduce((sum, n) => sum + n, 0)).toBe(6)
      expect(receipt?.id).toBe((await bench.relay.events())[0]?.id)
    })
  })
}
