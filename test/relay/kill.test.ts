import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { openSqliteStore } from '../../src/relay/store/sqlite/open-sqlite-store.ts'
import { verifyStore } from '../../src/relay/store/sqlite/verify-store.ts'
import { startZuoraStandIn } from '../../src/zuora-stand-in/server.ts'
import { callsMeter } from '../support/calls-upstream.ts'
import { allForwarded, expectBilledOnce } from './support/billed-once.ts'
import { createMortalRelay, type MortalRelay } from './support/kill-again.ts'
import { createTirelessAgent, EVENTS_PER_BATCH, type TirelessAgent } from './support/tireless-agent.ts'

const KILLS = process.env.METERTAP_LONG ? 100 : 5
const MAX_LIFE_MS = 1_500
const ACCOUNTS = ['acme', 'globex']

test(`kill -9 at ${KILLS} random moments under load: each acknowledged event is billed exactly once`, async () => {
  const folder = mkdtempSync(join(tmpdir(), 'metertap-kill-'))
  const path = join(folder, 'relay.db')
  const zuora = await startZuoraStandIn({
    clients: [{ clientId: 'id', clientSecret: 'client-secret' }],
    meters: [callsMeter('calls')],
    // Calls that take their time are cut by the kills; answers that are lost put others in doubt.
    faults: [
      { kind: 'slow', delayMs: 60, when: 'after', probability: 0.5 },
      { kind: 'answer-lost', probability: 0.05 },
      { kind: 'status', status: 503, stored: true, probability: 0.05 },
    ],
  })
  const relay = createMortalRelay(path, zuora.url)
  const agents = ACCOUNTS.flatMap((account) =>
    ['d1', 'd2'].map((device) => createTirelessAgent(relay, account, device)),
  )
  const running = agents.map((agent) => agent.run())
  try {
    await killAgainAndAgain(relay, path, agents)
    const calls = zuora.ledger.calls().length
    // The last one lives on: it takes what the agents still have, and forwards everything.
    for (const agent of agents) agent.stop()
    await Promise.all(running)
    const totals = await allForwarded(relay)
    expect(await relay.stop()).toBe(0)
    expectBilledOnce(zuora, agents, ACCOUNTS.length, totals)
    expect(await verifyStore(path)).toMatchObject({ ok: true, eventsOnTheWay: 0 })
    console.info(
      `${KILLS} kills: ${totals.received} events, ${calls} calls, ${zuora.ledger.totals('calls').deduplicated} resent rows caught`,
    )
  } finally {
    for (const agent of agents) agent.stop()
    await relay.kill()
    await zuora.close()
    rmSync(folder, { recursive: true })
  }
})

async function killAgainAndAgain(relay: MortalRelay, path: string, agents: readonly TirelessAgent[]): Promise<void> {
  for (let kill = 0; kill < KILLS; kill++) {
    const { listens } = relay.start()
    // One in four dies while it starts, the others at work.
    if (Math.random() < 0.75) await listens
    await new Promise((resolve) => setTimeout(resolve, Math.random() * MAX_LIFE_MS))
    await relay.kill()
    await expectSound(path, agents)
  }
  await relay.start().listens
}

/** What a dead relay leaves behind: a sound store, with whole batches only, all that was acknowledged among them. */
async function expectSound(path: string, agents: readonly TirelessAgent[]): Promise<void> {
  if (!existsSync(path)) {
    // The first one died before it had made its store: nobody was promised anything.
    expect(agents.flatMap(({ plain }) => plain)).toEqual([])
    return
  }
  const { problems } = await verifyStore(path)
  expect(problems).toEqual([])
  const store = openSqliteStore({ path, clock: Date.now })
  try {
    for (const { stream, plain, keyed } of agents) {
      const [row] = await store.ledger({ stream })
      const received = row?.received ?? 0
      expect(received % EVENTS_PER_BATCH).toBe(0)
      expect(received).toBeGreaterThanOrEqual(plain.length + keyed.size)
      expect(received).toBeLessThanOrEqual(plain.length + keyed.size + EVENTS_PER_BATCH)
    }
  } finally {
    await store.close()
  }
}
