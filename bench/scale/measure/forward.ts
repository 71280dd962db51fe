import { setTimeout as delay } from 'node:timers/promises'
import { startZuoraStandIn } from '../../../demo/zuora/server.ts'
import { ADMIN_KEY, UPSTREAM_CLIENT, UPSTREAM_METER } from '../../relay/contract.ts'
import { fetchTokens } from '../../relay/servers.ts'
import { cpuSecondsOf } from '../cpu.ts'
import type { Found, Place } from './contract.ts'
import { readWal } from './wal.ts'

const BATCH_EVENTS = 500
const CONNECTIONS = 8
const POLL_MS = 100
const TIMEOUT_MS = 120_000

export interface Totals {
  readonly received: number
  readonly forwarded: number
}

export async function totalsOf(adminUrl: string): Promise<Totals> {
  const headers = { authorization: `Bearer ${ADMIN_KEY}` }
  const answer = await fetch(`${adminUrl}/v1/ledger?limit=1`, { headers })
  return ((await answer.json()) as { totals: Totals }).totals
}

/** A stand-in for the upstream that takes the benches' meter. */
export function openUpstream() {
  const fields = {
    CustomerId: { type: 'string' },
    UsageIdentifier: { type: 'string' },
    UsageDate: { type: 'date' },
    Quantity: { type: 'integer' },
  } as const
  const meter = { id: UPSTREAM_METER, fields, deduplicator: { field: 'UsageIdentifier' } }
  return startZuoraStandIn({ clients: [UPSTREAM_CLIENT], meters: [meter], keepRows: false })
}

/** Fills a store, then lets a relay send all of it: processor time and bytes written for each row, and how long it takes. */
export async function measureForwarding(
  place: Place,
  store: 'sqlite' | 'postgres',
  { events, callMs = 0 }: { readonly events: number; readonly callMs?: number },
): Promise<Found> {
  const { servers, database, postmaster, tell } = place
  tell(`forward, ${store}, ${callMs} ms a call`)
  const url = store === 'sqlite' ? `forward-${callMs}.db` : await database.createDatabase(`forward_${callMs}`)
  const zuora = await openUpstream()
  try {
    const filling = await servers.startRelay(url)
    const tokens = await fetchTokens(filling.url, CONNECTIONS)
    const load = await servers.load({
      url: filling.url,
      tokens,
      batches: events / BATCH_EVENTS,
      batchEvents: BATCH_EVENTS,
    })
    if (load.failures > 0) throw new Error(`The relay refused: ${load.firstFailure}`)
    await filling.stop()
    if (callMs > 0) zuora.faults.set([{ kind: 'slow', delayMs: callMs, on: 'usage' }])
    const [databaseS, { walBytes }] = [cpuSecondsOf([postmaster]), await readWal(database)]
    const relay = await servers.startRelay(url, zuora.url)
    const [relayS, startMs] = [cpuSecondsOf([relay.pid]), performance.now()]
    while ((await totalsOf(relay.adminUrl ?? '')).forwarded < load.events) {
      if (performance.now() - startMs > TIMEOUT_MS) throw new Error('The relay forwarded not all of it in time.')
      await delay(POLL_MS)
    }
    const seconds = (performance.now() - startMs) / 1_000
    const perRow = (before: number, after: number): number => ((after - before) * 1e6) / load.events
    const relayCpuUs = perRow(relayS, cpuSecondsOf([relay.pid]))
    const databaseCpuUs = perRow(databaseS, cpuSecondsOf([postmaster]))
    const after = await readWal(database)
    await relay.stop()
    const name = `${store}.forward${callMs > 0 ? `.call${callMs}` : ''}`
    const sent = zuora.ledger.calls()
    const rows = sent.reduce((sum, call) => sum + call.rows, 0)
    const bodyBytes = sent.reduce((sum, call) => sum + call.bodyBytes, 0)
    return {
      [`${name}.events`]: load.events,
      [`${name}.seconds`]: seconds,
      [`${name}.calls`]: zuora.ledger.totals(UPSTREAM_METER).calls,
      [`${name}.relayCpuUs`]: relayCpuUs,
      ...(store === 'postgres' && {
        [`${name}.databaseCpuUs`]: databaseCpuUs,
        [`${name}.walBytes`]: (after.walBytes - walBytes) / load.events,
      }),
      [`${name}.rowBytes`]: bodyBytes / rows,
    }
  } finally {
    await zuora.close()
  }
}
