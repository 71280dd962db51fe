import * as z from 'zod'
import type { Agent } from '../../src/agent/agent.ts'
import { startAgent } from '../../src/agent/create-agent.ts'
import type { AgentOptions } from '../../src/agent/options.ts'
import { defineMeter } from '../../src/meter/define-meter.ts'
import type { Outbox } from '../../src/outbox/contract.ts'
import { createMemoryOutbox } from '../../src/outbox/memory/open.ts'
import { type FakeClock, fakeClock, settle } from './fake-clock.ts'
import { FakeLocks } from './fake-locks.ts'
import { FakeChannels, type FakeRuntime, fakeRuntime } from './fake-runtime.ts'
import { TinyRelay } from './tiny-relay.ts'

export const calls = defineMeter('calls', z.object({ n: z.number() }))
export const bills = defineMeter('bills', z.object({ n: z.number() }), { durability: 'power' })

export interface Page {
  readonly agent: Agent
  readonly runtime: FakeRuntime
  /** What was told, by event name. */
  readonly heard: { readonly event: string; readonly detail: Record<string, unknown> }[]
}

export interface World {
  readonly clock: FakeClock
  readonly relay: TinyRelay
  readonly locks: FakeLocks
  /** Opens a page with an agent and waits until it is at work. */
  open(options?: Partial<AgentOptions>, page?: { outbox?: Outbox; online?: boolean; locks?: boolean }): Promise<Page>
}

const EVENTS = ['refused', 'stored', 'settled', 'deadletter', 'trouble', 'paused', 'degraded'] as const

/** Streams in order of opening, as UUIDv7 sort. */
export const streamOf = (n: number): string => `018f0000-0000-7000-8000-${String(n).padStart(12, '0')}`

/** An origin: pages share locks, channel, clock and the relay; an outbox is shared when it is given to both. */
export function world(): World {
  const clock = fakeClock()
  const relay = new TinyRelay()
  const locks = new FakeLocks()
  const channels = new FakeChannels()
  let streams = 0
  return {
    clock,
    relay,
    locks,
    async open(options = {}, page = {}) {
      const runtime = fakeRuntime({
        clock,
        fetch: relay.fetch,
        newStreamId: () => streamOf(streams++),
        locks: page.locks === false ? undefined : locks.manager,
        channels,
      })
      runtime.isOnline = page.online ?? true
      const outbox = page.outbox ?? createMemoryOutbox({ random: () => 'device-1' })
      const agent = startAgent(
        { relay: 'https://relay.test', token: () => 'token-1', meters: [calls, bills], ...options },
        { runtime, openOutbox: async () => outbox },
      )
      const heard: Page['heard'] = []
      for (const event of EVENTS) agent.on(event, (detail: object) => void heard.push({ event, detail: { ...detail } }))
      await settle()
      return { agent, runtime, heard }
    },
  }
}
