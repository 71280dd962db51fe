import * as fc from 'fast-check'
import { expect, it } from 'vitest'
import * as z from 'zod'
import { startElectronPage } from '../../src/agent/electron/renderer.ts'
import { StreamGuard } from '../../src/bridge/stream-guard.ts'
import { defineMeter } from '../../src/meter/define-meter.ts'
import type { AppendGroup } from '../../src/outbox/contract.ts'
import { calls } from '../support/agent-world.ts'
import { electronWorld } from '../support/electron-world.ts'
import { settle } from '../support/fake-clock.ts'

const clicks = defineMeter('clicks', z.object({ n: z.number(), kind: z.number() }), {
  aggregate: { windowMs: 10_000, sum: ['n'], by: ['kind'] },
})
const meters = [calls, clicks]

const step = fc.oneof(
  fc.record({ kind: fc.constant('calls' as const), count: fc.integer({ min: 1, max: 5 }) }),
  fc.record({ kind: fc.constant('clicks' as const), count: fc.integer({ min: 1, max: 3 }) }),
  fc.record({ kind: fc.constant('wait' as const), count: fc.integer({ min: 0, max: 15_000 }) }),
  fc.record({ kind: fc.constant('fail' as const), count: fc.integer({ min: 1, max: 3 }) }),
  fc.record({ kind: fc.constant('flush' as const), count: fc.constant(1) }),
)

it('an honest page is never taken for another, whatever order it records in and whatever could not be stored', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 30 }), async (steps) => {
      let failures = 0
      const world = await electronWorld({ meters, flushIntervalMs: 500 })
      const { append } = world.outbox
      Object.assign(world.outbox, {
        append: (group: AppendGroup) =>
          failures-- > 0 ? Promise.reject(new Error('The disk says no.')) : append(group),
      })
      const page = await world.openPage({}, { meters })
      for (const { kind, count } of steps) {
        if (kind === 'wait') await world.clock.advance(count)
        else if (kind === 'fail') failures = count
        else if (kind === 'flush') await page.agent.flush()
        else {
          for (let n = 0; n < count; n++) {
            if (kind === 'calls') page.agent.record(calls, { n }).durable.catch(() => {})
            else page.agent.record(clicks, { n: 1, kind: n }).durable.catch(() => {})
            if (n % 2 === 0) await null
          }
        }
      }
      failures = 0
      await settle()
      await world.clock.advance(60_000)
      page.agent.record(calls, { n: 0 }).durable.catch(() => {})
      await settle()
      await page.agent.flush()
      expect(world.main.pages().refused.bad_message).toBeUndefined()
      for (const { recorded, settled, dead, dropped } of await world.outbox.streams()) {
        const gone = Object.values(dropped).reduce((sum, count) => sum + count, 0)
        expect(settled + dead + gone).toBe(recorded)
      }
      const { events, bytes } = await world.outbox.totals()
      expect({ events, bytes }).toEqual({ events: 0, bytes: 0 })
    }),
    { numRuns: process.env.METERTAP_LONG ? 1_000 : 40 },
  )
})

it('a burst is cut into messages that pass: every event of 100,000 in one task is stored', {
  timeout: 120_000,
}, async () => {
  const world = await electronWorld()
  const window = world.electron.openWindow()
  const agent = startElectronPage({ meters: [calls] }, { port: window.port, runtime: world.runtime })
  const receipts = Array.from({ length: 100_000 }, (_, n) => agent.record(calls, { n }))
  await Promise.all([receipts[0]?.durable, receipts.at(-1)?.durable])
  await agent.flush()
  expect(world.relay.events.size).toBe(100_000)
  expect(await world.outbox.streams()).toMatchObject([{ recorded: 100_000, settled: 100_000, dropped: {} }])
  expect(world.refusals).toEqual([])
})

it('30,000 windows of one task pass', { timeout: 120_000 }, async () => {
  const world = await electronWorld({ meters })
  const window = world.electron.openWindow()
  const agent = startElectronPage({ meters }, { port: window.port, runtime: world.runtime })
  const receipts = Array.from({ length: 30_000 }, (_, kind) => agent.record(clicks, { n: 1, kind }))
  await receipts.at(-1)?.durable
  expect(await world.outbox.openRollups()).toHaveLength(30_000)
  expect(world.refusals).toEqual([])
})

it('numbers of a group that never came are lost, not held against the page', () => {
  const guard = new StreamGuard((text) => text.length)
  const stream = '018f0000-0000-7000-8000-000000000001'
  const segment = (first: number, count: number) => ({ stream, first, count, bytes: 0, body: 'x'.repeat(count) })
  const head = { stream, accountTag: '', openedAtMs: 0, bytes: 0, refused: {} }
  const group = (recorded: number, segments: ReturnType<typeof segment>[], dropped = {}) =>
    guard.enter({ head: { ...head, recorded, dropped }, segments, strict: false })
  group(2, [segment(0, 2)])
  group(12, [segment(10, 2)])
  expect(group(13, [segment(12, 1)], { event_too_large: 8 }).group.head.bytes).toBe(5)
  expect(() => group(14, [segment(13, 1)], { event_too_large: 9 })).toThrow('gives up')
})
