import { setTimeout as delay } from 'node:timers/promises'
import { startZuoraStandIn } from '../../demo/zuora/server.ts'
import { ADMIN_KEY, UPSTREAM_CLIENT, UPSTREAM_METER } from './contract.ts'
import { fetchTokens, type Servers } from './servers.ts'

const BATCH_EVENTS = 500
const CONNECTIONS = 16
const POLL_MS = 20
const TIMEOUT_MS = 300_000

export interface Forwarded {
  readonly events: number
  readonly perSecond: number
  readonly calls: number
}

async function forwardedBy(adminUrl: string): Promise<number> {
  const headers = { authorization: `Bearer ${ADMIN_KEY}` }
  const answer = await fetch(`${adminUrl}/v1/ledger?limit=1`, { headers })
  return ((await answer.json()) as { totals: { forwarded: number } }).totals.forwarded
}

/**
 * Fills a relay that forwards nothing, starts another on its database that does, and waits until the stand-in for the
 * upstream has accepted everything. The stand-in runs in this process, the relay in its own.
 */
export async function measureForward(servers: Servers, events: number): Promise<Forwarded> {
  const fields = {
    CustomerId: { type: 'string' },
    UsageIdentifier: { type: 'string' },
    UsageDate: { type: 'date' },
    Quantity: { type: 'integer' },
  } as const
  const meter = { id: UPSTREAM_METER, fields, deduplicator: { field: 'UsageIdentifier' } }
  const zuora = await startZuoraStandIn({ clients: [UPSTREAM_CLIENT], meters: [meter], keepRows: false })
  try {
    const filling = await servers.startRelay('forward.db')
    const tokens = await fetchTokens(filling.url, CONNECTIONS)
    const load = await servers.load({
      url: filling.url,
      tokens,
      batches: events / BATCH_EVENTS,
      batchEvents: BATCH_EVENTS,
    })
    if (load.failures > 0) throw new Error(`The relay refused: ${load.firstFailure}`)
    await filling.stop()
    const relay = await servers.startRelay('forward.db', zuora.url)
    const startMs = performance.now()
    while ((await forwardedBy(relay.adminUrl ?? '')) < load.events) {
      if (performance.now() - startMs > TIMEOUT_MS) throw new Error('The relay forwarded not all of it in time.')
      await delay(POLL_MS)
    }
    const seconds = (performance.now() - startMs) / 1_000
    await relay.stop()
    const { billable, calls, duplicates } = zuora.ledger.totals(UPSTREAM_METER)
    if (billable !== load.events || duplicates > 0) throw new Error('The upstream’s ledger disagrees.')
    return { events: load.events, perSecond: load.events / seconds, calls }
  } finally {
    await zuora.close()
  }
}
