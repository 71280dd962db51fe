import { v7 } from 'uuid'
import { expect, test } from 'vitest'
import { verifyPostgresStore } from '../../src/relay/store/postgres/verify-postgres-store.ts'
import { createGrant, createRelay, type Relay } from '../../src/relay.ts'
import { startZuoraStandIn } from '../../src/zuora-stand-in/server.ts'
import { callsMeter, UPSTREAM_CLIENT } from '../support/calls-upstream.ts'
import { findPgBouncer, startPgBouncer } from '../support/pgbouncer.ts'
import { startPostgres } from '../support/postgres.ts'
import { calls, GRANT_SECRET, PUBLIC_URL } from '../support/relay-fixture.ts'

const program = findPgBouncer()
const TITLE = 'relays behind PgBouncer in transaction mode take, forward and bill each event once'
const STREAMS = 12
const BATCHES = 10
const PER_BATCH = 20

if (!program) test.skip(`${TITLE}: skipped, there is no PgBouncer, and only root may install it`, () => {})

test.skipIf(!program)(TITLE, { timeout: 120_000 }, async () => {
  await using opened = new AsyncDisposableStack()
  const postgres = await startPostgres()
  opened.defer(() => postgres.stop())
  const database = await postgres.createDatabase('usage')
  const bouncer = await startPgBouncer(program as string, database)
  opened.defer(() => bouncer.close())
  const zuora = await startZuoraStandIn({ clients: [UPSTREAM_CLIENT], meters: [callsMeter('calls')] })
  opened.defer(() => zuora.close())

  const fields = { UsageIdentifier: 'id', CustomerId: 'account', UsageDate: 'at', Quantity: 'data.quantity' } as const
  const open = async (): Promise<Relay> => {
    const relay = await createRelay({
      ...{ publicUrl: PUBLIC_URL, listen: { port: 0 }, store: { postgres: bouncer.url }, origins: [] },
      ...{ grants: [{ keyId: 'app', secret: GRANT_SECRET }], upstream: { restBase: zuora.url, ...UPSTREAM_CLIENT } },
      meters: [{ meter: calls, upstream: { meterGlobalId: 'calls', fields } }],
    })
    opened.defer(() => relay.stop())
    await relay.start()
    return relay
  }
  const relays = [await open(), await open()]

  // Streams side by side, each batch to both relays: sessions change hands all the time.
  const owner = { keyId: 'app', secret: GRANT_SECRET, account: 'acme', device: 'd', meters: ['calls'] }
  const ask = (relay: Relay, path: string, body: unknown, token = '') =>
    relay.fetch(
      new Request(`${PUBLIC_URL}${path}`, {
        ...{ method: 'POST', body: JSON.stringify(body) },
        headers: { 'content-type': 'application/json', authorization: `Bearer ${token}` },
      }),
    )
  const swapped = await ask(relays[0] as Relay, '/v1/token', { grant: await createGrant(owner) })
  const { token } = (await swapped.json()) as { token: string }
  const one = async (stream: string): Promise<void> => {
    for (let first = 0; first < BATCHES * PER_BATCH; first += PER_BATCH) {
      const events = Array.from({ length: PER_BATCH }, () => ['calls', Date.now(), { quantity: 1 }])
      const streams = [{ id: stream, recorded: first + PER_BATCH, dropped: {} }]
      const batch = { v: 1, sentAt: Date.now(), device: 'd', streams, segments: [{ stream, first, events }] }
      // One device has eight requests at most.
      const answers = await Promise.all(relays.map((relay) => ask(relay, '/v1/events', batch, token)))
      for (const answer of answers) expect(answer.status).toBe(200)
    }
  }
  for (let done = 0; done < STREAMS; done += 4) await Promise.all(Array.from({ length: 4 }, () => one(v7())))

  const sent = STREAMS * BATCHES * PER_BATCH
  await expect.poll(() => zuora.ledger.totals('calls').billable, { timeout: 60_000, interval: 100 }).toBe(sent)
  await expect.poll(async () => (await relays[0]?.store.totals())?.forwarded, { timeout: 30_000 }).toBe(sent)
  expect(await relays[1]?.store.totals()).toMatchObject({ received: sent, forwarded: sent, missing: 0 })
  expect(zuora.ledger.totals('calls').duplicates).toBe(0)
  expect(await verifyPostgresStore({ url: database, schema: 'metertap' })).toMatchObject({
    ok: true,
    eventsOnTheWay: 0,
  })
})
