import type { Running } from '../../relay/servers.ts'
import { fetchTokens } from '../../relay/servers.ts'
import { cpuSecondsOf } from '../cpu.ts'
import type { Found, Place } from './contract.ts'
import { readWal } from './wal.ts'

const CONNECTIONS = 8
/** Requests of each measurement, by events in each. */
const BATCHES: readonly (readonly [batchEvents: number, batches: number])[] = [
  [10, 2_000],
  [50, 1_600],
  [500, 400],
  [5_000, 64],
]

/** What a request costs the relay and its database, by the events in it: processor time, and bytes written ahead. */
export async function measureAccept(place: Place, store: 'sqlite' | 'postgres'): Promise<Found> {
  const { servers, database, tell } = place
  const relay = await servers.startRelay(store === 'sqlite' ? 'accept.db' : database.url)
  const found: Record<string, number> = {}
  try {
    await loadWith(place, relay, 100, 200)
    for (const [batchEvents, batches] of BATCHES) {
      tell(`accept, ${store}, ${batchEvents} events a batch`)
      const run = await loadWith(place, relay, batchEvents, batches)
      const name = `${store}.accept.batch${batchEvents}`
      found[`${name}.relayCpuUs`] = run.relayCpuUs
      found[`${name}.eventsPerS`] = run.eventsPerS
      if (store === 'sqlite') continue
      found[`${name}.databaseCpuUs`] = run.databaseCpuUs
      found[`${name}.walBytes`] = run.walBytes
      found[`${name}.transactions`] = run.transactions
    }
  } finally {
    await relay.stop()
  }
  return found
}

async function loadWith(
  { servers, database, postmaster }: Place,
  relay: Running,
  batchEvents: number,
  batches: number,
) {
  const tokens = await fetchTokens(relay.url, CONNECTIONS)
  const before = {
    relayS: cpuSecondsOf([relay.pid]),
    databaseS: cpuSecondsOf([postmaster]),
    ...(await readWal(database)),
  }
  const result = await servers.load({ url: relay.url, tokens, batches, batchEvents })
  if (result.failures > 0) throw new Error(`The relay refused: ${result.firstFailure}`)
  const [relayS, databaseS] = [cpuSecondsOf([relay.pid]), cpuSecondsOf([postmaster])]
  const after = await readWal(database)
  const requests = result.events / batchEvents
  return {
    eventsPerS: result.events / (result.elapsedMs / 1_000),
    relayCpuUs: ((relayS - before.relayS) * 1e6) / requests,
    databaseCpuUs: ((databaseS - before.databaseS) * 1e6) / requests,
    walBytes: (after.walBytes - before.walBytes) / requests,
    transactions: (after.transactions - before.transactions) / requests,
  }
}
