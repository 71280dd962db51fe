import * as z from 'zod'
import type { Agent } from '../../src/agent/agent.ts'
import { startAgent } from '../../src/agent/create-agent.ts'
import type { AgentOptions } from '../../src/agent/options.ts'
import { defineMeter } from '../../src/meter/define-meter.ts'
import type { Outbox } from '../../src/outbox/contract.ts'
import { createMemoryOutbox } from '../../src/outbox/memory/open.ts'
import type { FetchLater } from '../../src/runtime/contract.ts'
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
  /** The page is gone from one moment to the next, without a word; the browser takes its locks back. */
  crash(): void
}

export interface PageOptions {
  /** Default: one in memory, of its own. */
  readonly outbox?: Outbox
  readonly online?: boolean
  readonly prerendering?: boolean
  readonly locks?: boolean
  readonly fetchLater?: FetchLater
}

export interface World {
  readonly clock: FakeClock
  readonly relay: TinyRelay
  readonly locks: FakeLocks
  readonly channels: FakeChannels
  /** Opens a page with an agent and waits until it is at work. */
  open(options?: Partial<AgentOptions>, page?: PageOptions): Promise<Page>
}

const EVENTS = [
  'refused',
  'stored',
  'settled',
  'deadletter',
  'trouble',
  'paused',
  'degraded',
  'recovered',
  'dropped',
] as const

/** Streams in order of opening, as UUIDv7 sort. */
export const streamOf = (n: number): string => `018f0000-0000-7000-8000-${String(n).padStart(12, '0')}`

/** An outbox that many pages share: closing it in one of them must not close it for the others. */
export function sharedOutbox(outbox: Outbox = createMemoryOutbox({ random: () => 'device-1' })): Outbox {
  return { ...outbox, durability: 'process', close: async () => {} }
}

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
    channels,
    async open(options = {}, page = {}) {
      const client = locks.client()
      const runtime = fakeRuntime({
        clock,
        fetch: relay.fetch,
        fetchLater: page.fetchLater,
        newStreamId: () => streamOf(streams++),
        locks: page.locks === false ? undefined : client.manager,
        channels,
      })
      runtime.isOnline = page.online ?? true
      runtime.isPrerendering = page.prerendering ?? false
      const outbox = page.outbox ?? createMemoryOutbox({ random: () => 'device-1' })
      const agent = startAgent(
        { relay: 'https://relay.test', token: () => 'token-1', meters: [calls, bills], ...options },
        { runtime, openOutbox: async () => outbox },
      )
      const heard: Page['heard'] = []
      for (const event of EVENTS) agent.on(event, (detail: object) => void heard.push({ event, detail: { ...detail } }))
      await settle()
      const crash = () => {
        runtime.state.kill()
        client.kill()
      }
      return { agent, runtime, heard, crash }
    },
  }
}
