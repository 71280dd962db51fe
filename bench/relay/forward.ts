import { setTimeout as delay } from 'node:timers/promises'
import type { ZuoraStandIn } from '../../src/zuora-stand-in/contract.ts'
import { startZuoraStandIn } from '../../src/zuora-stand-in/server.ts'
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

export interface Totals {
  readonly received: number
  readonly forwarded: number
}

/** A relay's ledger, in all. */
export async function totalsOf(adminUrl: string): Promise<Totals> {
  const headers = { authorization: `Bearer ${ADMIN_KEY}` }
  const answer = await fetch(`${adminUrl}/v1/ledger?limit=1`, { headers })
  return ((await answer.json()) as { totals: Totals }).totals
}

/** A stand-in for the upstream that takes the benches' meter. */
export function openUpstream(): Promise<ZuoraStandIn> {
  const fields = {
    CustomerId: { type: 'string' },
    UsageIdentifier: { type: 'string' },
    UsageDate: { type: 'date' },
    Quantity: { type: 'integer' },
  } as const
  const meter = { id: UPSTREAM_METER, fields, deduplicator: { field: 'UsageIdentifier' } }
  return startZuoraStandIn({ clients: [UPSTREAM_CLIENT], meters: [meter], keepRows: false })
}

/** Fills a store by a relay that forwards nothing; how many events it has then. */
export async function fillStore(servers: Servers, store: string, events: number): Promise<number> {
  const filling = await servers.startRelay(store)
  const tokens = await fetchTokens(filling.url, CONNECTIONS)
  const order = { url: filling.url, tokens, batches: events / BATCH_EVENTS, batchEvents: BATCH_EVENTS }
  const load = await servers.load(order)
  if (load.failures > 0) throw new Error(`The relay refused: ${load.firstFailure}`)
  await filling.stop()
  return load.events
}

/** Waits until a relay has forwarded so much; seconds. */
export async function secondsUntilForwarded(adminUrl: string, events: number): Promise<number> {
  const startMs = performance.now()
  while ((await totalsOf(adminUrl)).forwarded < events) {
    if (performance.now() - startMs > TIMEOUT_MS) throw new Error('The relay forwarded not all of it in time.')
    await delay(POLL_MS)
  }
  return (performance.now() - startMs) / 1_000
}

/**
 * Fills a relay that forwards nothing, starts another on its database that does, and waits until the stand-in for the
 * upstream has accepted everything. The stand-in runs in this process, the relay in its own.
 */
export async function measureForward(servers: Servers, events: number): Promise<Forwarded> {
  const zuora = await openUpstream()
  try {
    const filled = await fillStore(servers, 'forward.db', events)
    const relay = await servers.startRelay('forward.db', zuora.url)
    const seconds = await secondsUntilForwarded(relay.adminUrl ?? '', filled)
    await relay.stop()
    const { billable, calls, duplicates } = zuora.ledger.totals(UPSTREAM_METER)
    if (billable !== filled || duplicates > 0) throw new Error('The upstream’s ledger disagrees.')
    return { events: filled, perSecond: filled / seconds, calls }
  } finally {
    await zuora.close()
  }
}
