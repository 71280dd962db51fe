import { expect, test } from 'vitest'
import { verifyPostgresStore } from '../../src/relay/store/postgres/verify-postgres-store.ts'
import { startZuoraStandIn } from '../../src/zuora-stand-in/server.ts'
import { callsMeter } from '../support/calls-upstream.ts'
import { startPostgres } from '../support/postgres.ts'
import { allForwarded, expectBilledOnce } from './support/billed-once.ts'
import { createRelayFleet } from './support/relay-fleet.ts'
import { createTirelessAgent } from './support/tireless-agent.ts'

const IS_LONG = process.env.METERTAP_LONG !== undefined
const RELAYS = 3
const KILLS = IS_LONG ? 60 : 4
const KILL_EVERY_MS = IS_LONG ? 2_000 : 1_000
const DATABASE_DOWN_MS = IS_LONG ? 2_000 : 300
const ACCOUNTS = Array.from({ length: IS_LONG ? 10 : 4 }, (_, n) => `account-${n}`)
const DEVICES = ['d1', 'd2']

test(`${RELAYS} relays on one PostgreSQL: ${KILLS} of them killed under load, the database restarted, all restarted in turn`, {
  timeout: IS_LONG ? 900_000 : 120_000,
}, async () => {
  const database = await startPostgres(IS_LONG ? { fsync: 'on' } : {})
  const zuora = await startZuoraStandIn({
    clients: [{ clientId: 'id', clientSecret: 'client-secret' }],
    meters: [callsMeter('calls')],
    faults: [
      { kind: 'slow', delayMs: 60, when: 'after', probability: 0.5 },
      { kind: 'answer-lost', probability: 0.05 },
      { kind: 'status', status: 503, stored: true, probability: 0.05 },
    ],
  })
  const fleet = createRelayFleet(database.url, zuora.url, RELAYS)
  const agents = ACCOUNTS.flatMap((account) => DEVICES.map((device) => createTirelessAgent(fleet, account, device)))
  try {
    await fleet.startAll()
    const running = agents.map((agent) => agent.run())
    for (let kill = 0; kill < KILLS; kill++) {
      await new Promise((resolve) => setTimeout(resolve, KILL_EVERY_MS))
      await fleet.killOne()
      if (kill === Math.floor(KILLS / 2)) await database.restart(DATABASE_DOWN_MS)
    }
    expect(await fleet.restartEach()).toEqual(Array(RELAYS).fill(0))
    for (const agent of agents) agent.stop()
    await Promise.all(running)
    const totals = await allForwarded(fleet)
    expect(await fleet.stopAll()).toEqual(Array(RELAYS).fill(0))
    expectBilledOnce(zuora, agents, ACCOUNTS.length, totals)
    expect(await verifyPostgresStore({ url: database.url })).toMatchObject({ ok: true, eventsOnTheWay: 0 })
    const { deduplicated } = zuora.ledger.totals('calls')
    const calls = zuora.ledger.calls().length
    console.info(
      `${KILLS} kills of ${RELAYS} relays: ${totals.received} events of ${agents.length} agents, ${calls} calls, ${deduplicated} resent rows caught`,
    )
  } finally {
    for (const agent of agents) agent.stop()
    await fleet.killAll()
    await zuora.close()
    await database.stop()
  }
})
