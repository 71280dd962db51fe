import { expect, vi } from 'vitest'
import * as z from 'zod'
import type { Agent } from '../../src/agent/agent.ts'
import type { AgentOptions } from '../../src/agent/options.ts'
import type { AcceptedReceipt, Receipt } from '../../src/agent/receipt.ts'
import { defineMeter } from '../../src/meter/define-meter.ts'
import type { Durability } from '../../src/outbox/contract.ts'
import type { StreamReport } from '../../src/wire/contract.ts'
import type { TinyRelay } from '../support/tiny-relay.ts'

/** The meters of every agent under test. */
export const calls = defineMeter('calls', z.object({ n: z.number(), text: z.string().optional() }))
export const bills = defineMeter('bills', z.object({ n: z.number() }), { durability: 'power' })
export const clicks = defineMeter('clicks', z.object({ kind: z.string(), n: z.number() }), {
  aggregate: { windowMs: 1_000, sum: ['n'], by: ['kind'] },
})
export const loose = defineMeter('loose', z.any())
export const METERS = [calls, bills, clicks, loose]

/** Options of an agent that a test asks for; relay, token and meters are the home's. */
export type AgentWishes = Partial<Omit<AgentOptions, 'relay' | 'token' | 'meters'>>

/** What the agents of an account show to the relay: a home's agents, or whoever sends for them, must give this. */
export function tokenOf(account: string = ''): string {
  return `token-of-${account || 'nobody'}`
}

/** Where one kind of agent lives, and what it can do there. Tests of what it cannot are not registered. */
export interface AgentHomeKind {
  readonly name: string
  /** What a plain event survives, and one that asks for 'power'. */
  readonly plain: Durability
  readonly strict: Durability
  /** Events outlive close(): the next start() finds them. */
  readonly keeps: boolean
  /** Several agents can live on the outbox at once. */
  readonly shares: boolean
  /** Agents are told when the network goes and comes: AgentHome.setOnline() is there. */
  readonly hearsNetwork: boolean
  /** False where a limit is not the agent's own, so that a test cannot wish for one. Default true. */
  readonly limits?: boolean
  /** False for an agent that looks at its outbox only when it is asked to flush it. Default true. */
  readonly looks?: boolean
  /** The account of an agent that names none. Default ''. */
  readonly nobody?: string
  /** An empty home, with an empty relay. */
  readonly open: () => Promise<AgentHome>
}

export interface AgentHome {
  readonly relay: RelayDesk
  /** Starts an agent over the home's outbox: the first, one after others were closed, or one beside those that live. */
  readonly start: (wishes?: AgentWishes) => Promise<Agent>
  /** Tells the agents that the network is gone, or back. */
  readonly setOnline?: (isOnline: boolean) => void | Promise<void>
  /** Lets go of everything that agents left behind; called after they were closed. */
  readonly end?: () => void | Promise<void>
}

/** What the next request meets: a status, one with Retry-After, no network, or an answer that is lost after storing. */
export type RelayFault = number | { readonly status: number; readonly retryAfterS: number } | 'offline' | 'lost'

export interface RelayEvent {
  readonly id: string
  /** `[meter, at, data, key?]` */
  readonly event: readonly unknown[]
  readonly token: string
}

/** The relay as tests see it: plain data both ways, so that it may live in another process or isolate. */
export interface RelayDesk {
  /** Every event it holds, in the order of arrival. */
  events(): Promise<readonly RelayEvent[]>
  /** What streams last said of themselves. */
  reports(): Promise<readonly StreamReport[]>
  /** Ids that came again with another event. */
  conflicts(): Promise<readonly string[]>
  requests(): Promise<number>
  /** For the next requests, one each. */
  fail(faults: readonly RelayFault[]): Promise<void>
  /** While it is down, no request has an answer. */
  setDown(isDown: boolean): Promise<void>
  /** From now on it rejects the events of this meter; of none when undefined. */
  setRejected(meter: string | undefined): Promise<void>
}

/** A desk over a TinyRelay in this process; give its `fetch` to the agents. */
export function deskOf(relay: TinyRelay): RelayDesk & Pick<TinyRelay, 'fetch'> {
  let isDown = false
  return {
    fetch: (input, init) => (isDown ? Promise.reject(new TypeError('Failed to fetch')) : relay.fetch(input, init)),
    events: async () =>
      [...relay.events].map(([id, event]) => ({ id, event: event as unknown[], token: relay.tokens.get(id) ?? '' })),
    reports: async () => [...relay.reports.values()],
    conflicts: async () => relay.conflicts,
    requests: async () => relay.requests.length,
    async fail(faults) {
      relay.faults.push(...faults.map(faultOf))
    },
    async setDown(down) {
      isDown = down
    },
    async setRejected(meter) {
      const why = { code: 'unknown_meter', detail: 'No such meter.' }
      relay.rejects = (event) => (meter !== undefined && (event as unknown[])[0] === meter ? why : undefined)
    },
  }
}

function faultOf(fault: RelayFault): number | Response | 'offline' | 'lost' {
  if (typeof fault !== 'object') return fault
  return new Response('', { status: fault.status, headers: { 'retry-after': String(fault.retryAfterS) } })
}

/** Waits, in real time, until it holds; fails with its last complaint when it does not for long. */
export async function eventually(holds: () => Promise<void> | void): Promise<void> {
  await vi.waitFor(holds, { timeout: 40_000, interval: 20 })
}

/** Flushes again and again until the relay holds so many events. */
export async function flushUntil(agent: Agent, relay: RelayDesk, events: number): Promise<void> {
  await eventually(async () => {
    await agent.flush()
    expect(await relay.events()).toHaveLength(events)
  })
}

/** @throws when the event was refused. */
export function accepted(receipt: Receipt): AcceptedReceipt {
  if (receipt.error) throw receipt.error
  return receipt
}

/** Records calls with n = from, from + 1, …; resolves with their ids when they are stored. */
export async function recordCalls(agent: Agent, count: number, from = 0): Promise<string[]> {
  const receipts = Array.from({ length: count }, (_, index) => accepted(agent.record(calls, { n: from + index })))
  await Promise.all(receipts.map(({ durable }) => durable))
  return receipts.map(({ id }) => id)
}

/** The `n` of the relay's events by their ids. */
export async function numbersById(relay: RelayDesk): Promise<Record<string, unknown>> {
  const events = await relay.events()
  return Object.fromEntries(events.map(({ id, event }) => [id, (event[2] as { n?: unknown }).n]))
}

/** What recordCalls() gave, as numbersById() should show it. */
export function expected(ids: readonly string[], from = 0): Record<string, number> {
  return Object.fromEntries(ids.map((id, index) => [id, from + index]))
}

/** Waits until the agent's statistics show it. */
export async function eventuallyStats(
  agent: Agent,
  kind: Pick<AgentHomeKind, 'looks'>,
  shown: Partial<ReturnType<Agent['stats']>>,
): Promise<void> {
  await eventually(async () => {
    if (kind.looks === false) await agent.flush()
    expect(agent.stats()).toMatchObject(shown)
  })
}

/** recorded = settled + dropped + dead + waiting, over all streams of the outbox. */
export async function expectEquation(agent: Agent): Promise<void> {
  let waiting = 0
  for (const { recorded, settled, dead, dropped } of await agent.streams()) {
    waiting += recorded - settled - dead - Object.values(dropped).reduce((sum, count) => sum + count, 0)
  }
  await eventually(() => expect(agent.stats().waiting + agent.stats().storing).toBe(waiting))
}
