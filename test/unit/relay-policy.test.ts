import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import * as z from 'zod'
import type { Agent } from '../../src/agent/agent.ts'
import { startAgent } from '../../src/agent/create-agent.ts'
import { createAgent } from '../../src/node.ts'
import { createMemoryOutbox } from '../../src/outbox/memory/open.ts'
import { type DeliveryPolicy, defineMeter } from '../../src/relay.ts'
import { fakeClock, settle } from '../support/fake-clock.ts'
import { fakeRuntime } from '../support/fake-runtime.ts'
import { serveRelay } from '../support/http-relay.ts'
import {
  openTestRelay,
  readAnswer,
  calls as relayCalls,
  route,
  STREAM,
  type TestRelay,
} from '../support/relay-fixture.ts'

const calls = defineMeter('calls', z.object({ quantity: z.int().positive() }))

async function openRelay(policy: DeliveryPolicy | undefined, clock: () => number): Promise<TestRelay> {
  const config = { meters: [route(relayCalls)], ...(policy === undefined ? {} : { policy }) }
  const relay = await openTestRelay(config, { clock })
  relay.clock.nowMs = clock()
  onTestFinished(() => relay.close())
  return relay
}

/** Counts the events of each batch on their way to the relay. */
function watched({ relay }: TestRelay, batches: number[]): typeof globalThis.fetch {
  return async (input, init) => {
    const request = new Request(input, init)
    if (new URL(request.url).pathname === '/v1/events') {
      const body = request.clone().body as ReadableStream<Uint8Array<ArrayBuffer>>
      const isPacked = request.headers.get('content-encoding') === 'gzip'
      const text = await new Response(isPacked ? body.pipeThrough(new DecompressionStream('gzip')) : body).text()
      const { segments } = JSON.parse(text) as { segments: { events: unknown[] }[] }
      batches.push(segments.reduce((sum, { events }) => sum + events.length, 0))
    }
    return relay.fetch(request)
  }
}

async function record(agent: Agent, count: number): Promise<void> {
  for (let n = 0; n < count; n++) await agent.record(calls, { quantity: 1 }).durable
}

test('a relay without a policy tells none', async () => {
  const relay = await openRelay(undefined, Date.now)
  const streams = [{ id: STREAM, recorded: 0, dropped: {} }]
  const answer = await readAnswer(await relay.send({ v: 1, sentAt: Date.now(), device: 'd', streams, segments: [] }))
  expect(answer).not.toHaveProperty('policy')
})

test('an agent in Node sends no more at a time than its relay asks for, and rests when it asks for that', async () => {
  const relay = await openRelay({ maxBatchEvents: 3, holdMs: 3_600_000 }, Date.now)
  const batches: number[] = []
  const served = await serveRelay(watched(relay, batches))
  const folder = mkdtempSync(join(tmpdir(), 'metertap-policy-'))
  const token = await relay.token()
  const agent = createAgent({ folder, relay: served.url, token: () => token, meters: [calls] })
  onTestFinished(async () => {
    await agent.close()
    await served.close()
    rmSync(folder, { recursive: true })
  })
  await record(agent, 1)
  await agent.flush()
  expect(agent.stats()).toMatchObject({ pausedBy: ['hold'], accepted: 1 })
  // Recorded meanwhile: it waits on the disk.
  await record(agent, 7)
  await agent.flush()
  expect([batches, agent.stats().waiting]).toEqual([[1], 7])
  agent.resume('hold')
  await agent.flush()
  expect(batches.slice(0, 2)).toEqual([1, 3])
})

test('the interval of a relay takes the place of the agent’s, and a hold ends by itself', async () => {
  const clock = fakeClock(Date.now())
  const relay = await openRelay({ flushIntervalMs: 600_000, maxBatchEvents: 3, holdMs: 60_000 }, clock.now)
  const batches: number[] = []
  const runtime = fakeRuntime({ clock, fetch: watched(relay, batches), newStreamId: () => STREAM })
  const token = await relay.token()
  const agent = startAgent(
    { relay: 'https://usage.example.com', token: () => token, meters: [calls] },
    { runtime, openOutbox: async () => createMemoryOutbox({ random: () => 'device-1' }) },
  )
  await record(agent, 1)
  expect(clock.pendingMs).toContain(5_000)
  await agent.flush()
  await clock.advance(60_000)
  expect(agent.stats().pausedBy).toEqual([])
  await record(agent, 7)
  await settle()
  expect(clock.pendingMs).toContain(600_000)
  expect(clock.pendingMs).not.toContain(5_000)
  await agent.flush()
  for (let hold = 0; hold < 3; hold++) {
    await clock.advance(60_000)
    await expect.poll(() => batches.length, { timeout: 30_000 }).toBeGreaterThanOrEqual(Math.min(4, hold + 3))
    await expect.poll(() => agent.stats().inFlight, { timeout: 30_000 }).toBe(0)
  }
  expect(batches).toEqual([1, 3, 3, 1])
  expect((await relay.relay.store.totals()).received).toBe(8)
  await agent.close()
})
