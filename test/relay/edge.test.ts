import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { Fault, ZuoraStandIn } from '../../src/zuora-stand-in/contract.ts'
import { startZuoraStandIn } from '../../src/zuora-stand-in/server.ts'
import { ADMIN_KEY } from '../support/addresses.ts'
import { callsMeter } from '../support/calls-upstream.ts'
import { makeTraffic, sendTraffic } from './support/edge-traffic.ts'
import { createMortalEdge, createMortalRelay, type MortalRelay } from './support/kill-again.ts'
import { runNodeAgents } from './support/node-agents.ts'
import { createTirelessAgent, type TirelessAgent } from './support/tireless-agent.ts'

const LONG = process.env.METERTAP_LONG !== undefined
const KILLS = LONG ? 30 : 3
const FAULTS: readonly Fault[] = [
  { kind: 'slow', delayMs: 40, when: 'after', probability: 0.5 },
  { kind: 'answer-lost', probability: 0.1 },
  { kind: 'status', status: 503, stored: true, probability: 0.1 },
  // Once: a second refusal in a row would rest the lane for a minute.
  { kind: 'unauthorized', times: 1, skip: 3 },
  { kind: 'refuse-rows', where: { field: 'Quantity', equals: 666 } },
]

let folder: string
const closing: (() => Promise<unknown>)[] = []
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'metertap-edge-'))
})
afterEach(async () => {
  for (const close of closing.splice(0).toReversed()) await close()
  rmSync(folder, { recursive: true })
})

async function startUpstream(faults: readonly Fault[]): Promise<ZuoraStandIn> {
  const clients = [{ clientId: 'id', clientSecret: 'client-secret' }]
  const zuora = await startZuoraStandIn({ clients, meters: [callsMeter('calls')], faults: [...faults] })
  closing.push(() => zuora.close())
  return zuora
}

function keep(relay: MortalRelay): MortalRelay {
  closing.push(() => relay.kill())
  return relay
}

async function ask(relay: MortalRelay, path: string): Promise<Record<string, unknown>> {
  const { adminUrl } = await relay.addresses()
  const response = await fetch(`${adminUrl}${path}`, { headers: { Authorization: `Bearer ${ADMIN_KEY}` } })
  return (await response.json()) as Record<string, unknown>
}

/** Waits until nothing is on its way. */
async function settled(relay: MortalRelay): Promise<Record<string, number>> {
  for (;;) {
    const totals = await relay.totals()
    const { received, forwarded, deduplicated, dead } = totals as { [name: string]: number }
    if (received === (forwarded ?? 0) + (deduplicated ?? 0) + (dead ?? 0)) return totals
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
}

/** The ledger as far as it does not speak of the moment. */
async function ledgerOf(relay: MortalRelay): Promise<unknown[]> {
  const { streams } = (await ask(relay, '/v1/ledger?limit=10000')) as { streams: Record<string, unknown>[] }
  return streams
    .map(({ firstSeenMs: _, lastSeenMs: __, ...row }) => row)
    .toSorted((a, b) => (JSON.stringify([a.account, a.stream]) < JSON.stringify([b.account, b.stream]) ? -1 : 1))
}

describe('the edge relay beside the relay on Node', () => {
  test('the same traffic ends with equal ledgers, equal dead letters and equal upstreams', async () => {
    const traffic = makeTraffic({ accounts: 6, batches: LONG ? 40 : 8 })
    const ends = await Promise.all(
      [createMortalRelay, createMortalEdge].map(async (create, i) => {
        const zuora = await startUpstream(FAULTS)
        const relay = keep(create(join(folder, String(i)), zuora.url))
        await relay.start().listens
        const answers = await sendTraffic(relay, traffic)
        const totals = await settled(relay)
        const { deadLetters } = (await ask(relay, '/v1/dead-letters')) as {
          deadLetters: { stream: string; seq: number }[]
        }
        const billed = [...zuora.ledger.events('calls')].map(({ UsageIdentifier }) => String(UsageIdentifier))
        const { billable, duplicates } = zuora.ledger.totals('calls')
        const dead = deadLetters.map(({ stream, seq }) => `${stream}-${seq}`).toSorted()
        const { lanes } = (await ask(relay, '/v1/backlog')) as { lanes: { waiting: number; inDelivery: number }[] }
        return {
          answers,
          totals,
          rows: await ledgerOf(relay),
          dead,
          billed: billed.toSorted(),
          billable,
          duplicates,
          lanes,
        }
      }),
    )
    const [onNode, atEdge] = ends
    expect(atEdge).toEqual(onNode)
    expect(onNode?.duplicates).toBe(0)
    expect(onNode?.dead.length).toBeGreaterThan(0)
    expect(onNode?.billable).toBe(onNode?.totals.forwarded)
    expect(onNode?.totals.deduplicated).toBeGreaterThan(0)
    expect(onNode?.totals.rejected).toBeGreaterThan(0)
  }, 240_000)

  test('agents of Node deliver all that they recorded', async () => {
    const zuora = await startUpstream(FAULTS.slice(0, 4))
    const edge = keep(createMortalEdge(join(folder, 'edge'), zuora.url))
    await edge.start().listens
    const ids = await runNodeAgents(edge, { agents: 4, events: 250 })
    expect(await settled(edge)).toMatchObject({ recorded: 1_000, received: 1_000, forwarded: 1_000, missing: 0 })
    expect(ids.filter((id) => !zuora.ledger.has('calls', id))).toEqual([])
    expect(zuora.ledger.totals('calls')).toMatchObject({ billable: 1_000, duplicates: 0 })
  }, 240_000)
})

test(`workerd killed ${KILLS} times under load: each acknowledged event is billed exactly once`, async () => {
  const zuora = await startUpstream(FAULTS.slice(0, 3))
  const edge = keep(createMortalEdge(join(folder, 'edge'), zuora.url))
  const agents = ['acme', 'globex', 'initech'].map((account) => createTirelessAgent(edge, account, 'd1'))
  const running = agents.map((agent) => agent.run())
  closing.push(async () => {
    for (const agent of agents) agent.stop()
  })
  for (let kill = 0; kill < KILLS; kill++) {
    await edge.start().listens
    await new Promise((resolve) => setTimeout(resolve, 300 + Math.random() * 1_500))
    await edge.kill()
  }
  await edge.start().listens
  for (const agent of agents) agent.stop()
  await Promise.all(running)
  expectBilledOnce(zuora, agents, await settled(edge))
}, 600_000)

test('what waits when workerd is killed is sent by an alarm of the next one, though nobody calls it', async () => {
  const zuora = await startUpstream([{ kind: 'status', status: 503 }])
  const edge = keep(createMortalEdge(join(folder, 'edge'), zuora.url))
  await edge.start().listens
  await sendTraffic(edge, makeTraffic({ accounts: 4, batches: 2 }))
  const { received, deduplicated } = (await edge.totals()) as { [name: string]: number }
  await edge.kill()
  expect(zuora.ledger.totals('calls').billable).toBe(0)
  zuora.faults.clear()
  await edge.start().listens
  const expected = (received as number) - (deduplicated as number)
  await expect.poll(() => zuora.ledger.totals('calls').billable, { timeout: 200_000, interval: 200 }).toBe(expected)
  expect(zuora.ledger.totals('calls')).toMatchObject({ duplicates: 0 })
}, 240_000)

function expectBilledOnce(zuora: ZuoraStandIn, agents: readonly TirelessAgent[], totals: Record<string, number>): void {
  const ids = agents.flatMap(({ plain, keyed }) => [...plain, ...keyed.values()])
  expect(ids.length).toBeGreaterThan(0)
  expect(ids.filter((id) => !zuora.ledger.has('calls', id))).toEqual([])
  expect(zuora.ledger.totals('calls')).toMatchObject({ billable: ids.length, duplicates: 0, refused: 0 })
  expect(totals).toMatchObject({ received: ids.length, forwarded: ids.length, missing: 0, dead: 0, deduplicated: 0 })
}
