import { copyFileSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import * as z from 'zod'
import { verifyPostgresStore } from '../../src/relay/store/postgres/verify-postgres-store.ts'
import { verifyStore } from '../../src/relay/store/sqlite/verify-store.ts'
import { createGrant, createRelay, defineMeter, type Relay, type RelayConfig } from '../../src/relay.ts'
import type { ZuoraStandIn } from '../../src/zuora-stand-in/contract.ts'
import { startZuoraStandIn } from '../../src/zuora-stand-in/server.ts'
import { callsMeter, UPSTREAM_CLIENT } from '../support/calls-upstream.ts'
import { startPostgres } from '../support/postgres.ts'
import { ADMIN_KEY, GRANT_SECRET, PUBLIC_URL, STREAM } from '../support/relay-fixture.ts'

const calls = defineMeter('calls', z.object({ quantity: z.int().positive() }))
const fields = { UsageIdentifier: 'id', CustomerId: 'account', UsageDate: 'at', Quantity: 'data.quantity' } as const
const WAIT = { timeout: 30_000, interval: 50 }

let folder: string
let zuora: ZuoraStandIn
let relays: Relay[]

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'metertap-drill-'))
  zuora = await startZuoraStandIn({ clients: [UPSTREAM_CLIENT], meters: [callsMeter('calls')] })
  relays = []
})
afterEach(async () => {
  await Promise.all(relays.map((relay) => relay.stop()))
  await zuora.close()
  rmSync(folder, { recursive: true })
})

function startRelay(file: string, restBase = zuora.url): Promise<Relay> {
  return startRelayOn({ sqlite: join(folder, file) }, restBase)
}

async function startRelayOn(store: RelayConfig['store'], restBase = zuora.url): Promise<Relay> {
  const relay = await createRelay({
    ...{ publicUrl: PUBLIC_URL, listen: { port: 0 }, store, origins: [] },
    ...{ grants: [{ keyId: 'app', secret: GRANT_SECRET }], upstream: { restBase, ...UPSTREAM_CLIENT } },
    meters: [{ meter: calls, upstream: { meterGlobalId: 'calls', fields } }],
    admin: { key: ADMIN_KEY, listen: { port: 0 }, backupFolder: folder },
  })
  relays.push(relay)
  await relay.start()
  return relay
}

async function post<T>(relay: Relay, path: string, body: unknown, bearer?: string): Promise<T> {
  const headers = { 'content-type': 'application/json', ...(bearer && { authorization: `Bearer ${bearer}` }) }
  const request = new Request(`${PUBLIC_URL}${path}`, { method: 'POST', headers, body: JSON.stringify(body) })
  const answer = await (bearer === ADMIN_KEY ? relay.adminFetch(request) : relay.fetch(request))
  expect(answer.status, path).toBe(200)
  return (await answer.json()) as T
}

async function tokenOf(relay: Relay): Promise<string> {
  const owner = { account: 'acme', device: 'laptop', meters: ['calls'] }
  const grant = await createGrant({ keyId: 'app', secret: GRANT_SECRET, ...owner })
  return (await post<{ token: string }>(relay, '/v1/token', { grant })).token
}

/** Numbers `first` … `first + 4` of the stream, acknowledged. */
async function sendFive(relay: Relay, token: string, first: number): Promise<void> {
  const events = Array.from({ length: 5 }, () => ['calls', Date.now(), { quantity: 1 }])
  const streams = [{ id: STREAM, recorded: first + 5, dropped: {} }]
  const batch = { v: 1, sentAt: Date.now(), device: 'd', streams, segments: [{ stream: STREAM, first, events }] }
  await post(relay, '/v1/events', batch, token)
}

const billed = (): number => zuora.ledger.totals('calls').billable
const isBilled = (seq: number): boolean => zuora.ledger.has('calls', `${STREAM}-${seq}`)

test('a relay’s disk is lost: from the backup, nothing is billed twice, and what is gone is counted and named', async () => {
  const first = await startRelay('relay.db')
  const token = await tokenOf(first)
  await sendFive(first, token, 0)
  await expect.poll(billed, WAIT).toBe(5)

  // The backup knows of 0–9; 5–9 are on their way in it, and go after it.
  await post(first, '/v1/lanes/calls/pause', { reason: 'drill' }, ADMIN_KEY)
  await sendFive(first, token, 5)
  const { file } = await post<{ file: string }>(first, '/v1/backup', {}, ADMIN_KEY)
  await post(first, '/v1/lanes/calls/resume', {}, ADMIN_KEY)
  await expect.poll(billed, WAIT).toBe(10)

  // 10–14 are acknowledged and forwarded, 15–19 acknowledged alone; a device was revoked.
  await sendFive(first, token, 10)
  await expect.poll(billed, WAIT).toBe(15)
  await post(first, '/v1/lanes/calls/pause', { reason: 'drill' }, ADMIN_KEY)
  await sendFive(first, token, 15)
  await post(first, '/v1/revocations', { account: 'acme', device: 'stolen' }, ADMIN_KEY)
  await first.stop()
  for (const lost of ['relay.db', 'relay.db-wal', 'relay.db-shm']) rmSync(join(folder, lost), { force: true })

  copyFileSync(join(folder, file), join(folder, 'relay.db'))
  expect(await verifyStore(join(folder, 'relay.db'))).toMatchObject({ ok: true, streams: 1, eventsOnTheWay: 5 })
  const second = await startRelay('relay.db')
  const { store } = second
  expect(await store.revocations(), 'to be done again').toEqual([])
  await post(second, '/v1/lanes/calls/resume', {}, ADMIN_KEY)

  // The agent goes on, with the token that it has.
  await sendFive(second, token, 20)
  await expect.poll(async () => (await store.totals()).forwarded, WAIT).toBe(15)
  expect(zuora.ledger.totals('calls')).toMatchObject({ billable: 20, deduplicated: 5, duplicates: 0 })
  expect(await store.ledger({ stream: STREAM })).toMatchObject([{ recorded: 25, received: 15, missing: 10 }])
  const [gap] = await store.gaps({ stream: STREAM })
  expect(gap?.open).toEqual([[10, 19]])
  // Of what is missing here, Zuora tells what it has; the rest is the loss.
  const missing = Array.from({ length: 10 }, (_, i) => 10 + i)
  expect(missing.filter((seq) => !isBilled(seq))).toEqual([15, 16, 17, 18, 19])
})

test('PostgreSQL is lost and restored to an earlier time: nothing is billed twice, and what is gone is counted and named', async () => {
  const database = await startPostgres()
  try {
    const store = { postgres: database.url }
    const two = [await startRelayOn(store), await startRelayOn(store)] as const
    const token = await tokenOf(two[0])
    await sendFive(two[0], token, 0)
    await expect.poll(billed, WAIT).toBe(5)

    // The copy knows of 0–9, and 5–9 are on their way in it. The relays outlive the server's stop.
    await post(two[0], '/v1/lanes/calls/pause', { reason: 'drill' }, ADMIN_KEY)
    await sendFive(two[1], token, 5)
    await database.backUp()
    await post(two[1], '/v1/lanes/calls/resume', {}, ADMIN_KEY)
    await expect.poll(billed, WAIT).toBe(10)

    // 10–14 are acknowledged and forwarded, 15–19 acknowledged alone; a device was revoked.
    await sendFive(two[0], token, 10)
    await expect.poll(billed, WAIT).toBe(15)
    await post(two[1], '/v1/lanes/calls/pause', { reason: 'drill' }, ADMIN_KEY)
    await sendFive(two[1], token, 15)
    await post(two[0], '/v1/revocations', { account: 'acme', device: 'stolen' }, ADMIN_KEY)
    await Promise.all(two.map((relay) => relay.stop()))

    await database.restore()
    expect(await verifyPostgresStore({ url: database.url })).toMatchObject({ ok: true, streams: 1, eventsOnTheWay: 5 })
    const again = [await startRelayOn(store), await startRelayOn(store)] as const
    expect(await again[0].store.revocations(), 'to be done again').toEqual([])
    await post(again[0], '/v1/lanes/calls/resume', {}, ADMIN_KEY)

    await sendFive(again[1], token, 20)
    await expect.poll(async () => (await again[0].store.totals()).forwarded, WAIT).toBe(15)
    expect(zuora.ledger.totals('calls')).toMatchObject({ billable: 20, deduplicated: 5, duplicates: 0 })
    expect(await again[0].store.ledger({ stream: STREAM })).toMatchObject([{ recorded: 25, received: 15, missing: 10 }])
    expect((await again[1].store.gaps({ stream: STREAM }))[0]?.open).toEqual([[10, 19]])
    const missing = Array.from({ length: 10 }, (_, i) => 10 + i)
    expect(missing.filter((seq) => !isBilled(seq))).toEqual([15, 16, 17, 18, 19])
    await Promise.all(again.map((relay) => relay.stop()))
    expect(await verifyPostgresStore({ url: database.url })).toMatchObject({ ok: true, eventsOnTheWay: 0 })
  } finally {
    await Promise.all(relays.map((relay) => relay.stop()))
    await database.stop()
  }
})

test('a disk lost without a backup: the stream goes on, and all before is a gap', async () => {
  const first = await startRelay('relay.db')
  await sendFive(first, await tokenOf(first), 0)
  await expect.poll(billed, WAIT).toBe(5)
  await first.stop()
  const second = await startRelay('new.db')
  await sendFive(second, await tokenOf(second), 5)
  await expect.poll(billed, WAIT).toBe(10)
  expect(await second.store.ledger({ stream: STREAM })).toMatchObject([{ recorded: 10, received: 5, missing: 5 }])
})

test('a restore is rehearsed beside the relay at work, and sends nothing', async () => {
  const relay = await startRelay('relay.db')
  await post(relay, '/v1/lanes/calls/pause', { reason: 'drill' }, ADMIN_KEY)
  await sendFive(relay, await tokenOf(relay), 0)
  const { file } = await post<{ file: string }>(relay, '/v1/backup', {}, ADMIN_KEY)
  const before = await relay.store.totals()
  copyFileSync(join(folder, file), join(folder, 'copy.db'))
  expect(await verifyStore(join(folder, 'copy.db'))).toMatchObject({ ok: true, eventsOnTheWay: 5 })
  const drill = await startRelay('copy.db', 'http://127.0.0.1:9')
  expect(await drill.store.totals()).toEqual(before)
  await post(drill, '/v1/lanes/calls/resume', {}, ADMIN_KEY)
  await expect.poll(() => drill.forwarder.stats().some(({ failuresInARow }) => failuresInARow > 0), WAIT).toBe(true)
  expect(await drill.store.totals(), 'all of it is still there').toEqual(before)
  expect(zuora.ledger.totals('calls').billable).toBe(0)
})
