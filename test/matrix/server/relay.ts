import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { eventId } from '../../../src/meter/contract.ts'
import type { LedgerRow, RelayStore, StoredEvent } from '../../../src/relay/store/contract.ts'
import { openSqliteStore } from '../../../src/relay/store/sqlite/open-sqlite-store.ts'
import { createGrant, createRelay } from '../../../src/relay.ts'
import { matrixEvents } from '../meter.ts'

/** The real relay, with its deliveries read instead of sent: what it would bill, event by event. */
export interface RelayUnderTest {
  readonly url: string
  /** A token for the account, by the ways of a real application: a signed grant, swapped at the relay. */
  token(account: string): Promise<string>
  /** How often the relay has put each of the account's events into a delivery. */
  billed(account: string): Promise<ReadonlyMap<string, number>>
  /** Events of the account that came again and were removed. */
  duplicates(account: string): number
  ledger(account: string): Promise<LedgerRow[]>
  close(): Promise<void>
}

const KEY_ID = 'matrix'
const LEASE_MS = 60_000

type Bills = Map<string, Map<string, number>>

function bill(bills: Bills, { account, stream, seq }: StoredEvent): void {
  const mine = bills.get(account) ?? new Map<string, number>()
  const id = eventId(stream, seq)
  mine.set(id, (mine.get(id) ?? 0) + 1)
  bills.set(account, mine)
}

/** Takes every stored event out of the store, the way the forwarder does. */
async function readDeliveries(store: RelayStore, bills: Bills): Promise<void> {
  const lane = matrixEvents.name
  for (;;) {
    let events: readonly StoredEvent[] = []
    const order = { lane, owner: 'matrix', leaseMs: LEASE_MS, nowMs: Date.now(), maxEvents: 1_000 }
    const delivery = await store.openDelivery(order, (offered) => {
      events = offered
      return { taken: offered.length, body: new Uint8Array([0]), rows: offered.length, bytes: 1, unmappable: [] }
    })
    if (!delivery) return
    for (const event of events) bill(bills, event)
    await store.acceptDelivery(delivery.id, Date.now())
  }
}

/** Notes what the store removed as known already. */
function counting(store: RelayStore, duplicates: Map<string, number>): RelayStore {
  return {
    ...store,
    async accept(request) {
      const result = await store.accept(request)
      duplicates.set(request.account, (duplicates.get(request.account) ?? 0) + result.duplicates)
      return result
    },
  }
}

export async function startRelay(folder: string, origin: string): Promise<RelayUnderTest> {
  const secret = randomBytes(32).toString('base64url')
  const duplicates = new Map<string, number>()
  const bills: Bills = new Map()
  const fields = { UsageIdentifier: 'id', CustomerId: 'account', UsageDate: 'at', Quantity: 'data.n' } as const
  const relay = await createRelay(
    {
      publicUrl: 'http://127.0.0.1',
      listen: { port: 0 },
      store: { sqlite: join(folder, 'relay.db') },
      meters: [{ meter: matrixEvents, upstream: { meterGlobalId: 'matrix', fields } }],
      upstream: { restBase: 'http://127.0.0.1:9', clientId: 'matrix', clientSecret: secret },
      grants: [{ keyId: KEY_ID, secret }],
      origins: [origin],
    },
    {
      openStore: () => counting(openSqliteStore({ path: join(folder, 'relay.db'), clock: Date.now }), duplicates),
      createForwarder: () => ({ start() {}, wake() {}, stop: async () => {}, stats: () => [] }),
    },
  )
  const { url } = await relay.start()
  let reading: Promise<void> = Promise.resolve()
  return {
    url,
    async token(account) {
      const grant = await createGrant({ keyId: KEY_ID, secret, account, device: 'matrix', meters: [matrixEvents.name] })
      const headers = { 'content-type': 'application/json' }
      const response = await fetch(`${url}/v1/token`, { method: 'POST', headers, body: JSON.stringify({ grant }) })
      if (!response.ok) throw new Error(`The relay answered ${response.status} when asked for a token.`)
      return ((await response.json()) as { token: string }).token
    },
    async billed(account) {
      reading = reading.then(() => readDeliveries(relay.store, bills))
      await reading
      return bills.get(account) ?? new Map()
    },
    duplicates: (account) => duplicates.get(account) ?? 0,
    ledger: (account) => relay.store.ledger({ account }),
    close: () => relay.stop(),
  }
}
