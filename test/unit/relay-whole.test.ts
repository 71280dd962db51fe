import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { expect, onTestFinished, test, vi } from 'vitest'
import { createGrant, createRelay, type Relay } from '../../src/relay.ts'
import type { ZuoraStandIn } from '../../src/zuora-stand-in/contract.ts'
import { startZuoraStandIn } from '../../src/zuora-stand-in/server.ts'
import { ADMIN_KEY, calls, GRANT_SECRET, ORIGIN, readAnswer, STREAM } from '../support/relay-fixture.ts'

const CLIENT = { clientId: 'relay', clientSecret: 'client-secret' }

async function startUpstream(): Promise<ZuoraStandIn> {
  const fields = {
    CustomerId: { type: 'string' },
    UsageIdentifier: { type: 'string' },
    UsageDate: { type: 'date' },
    Quantity: { type: 'integer' },
  } as const
  const meters = [{ id: 'meter-1', fields, deduplicator: { field: 'UsageIdentifier' } }]
  const upstream = await startZuoraStandIn({ clients: [CLIENT], meters })
  onTestFinished(() => upstream.close())
  return upstream
}

async function startRelay(
  sqlite: string,
  upstream: ZuoraStandIn,
): Promise<{ relay: Relay; url: string; adminUrl?: string }> {
  const fields = { CustomerId: 'account', UsageIdentifier: 'id', UsageDate: 'at', Quantity: 'data.quantity' } as const
  const relay = await createRelay(
    {
      publicUrl: 'http://127.0.0.1:8787',
      listen: { port: 0 },
      store: { sqlite },
      meters: [{ meter: calls, upstream: { meterGlobalId: 'meter-1', fields } }],
      upstream: { restBase: upstream.url, ...CLIENT },
      grants: [{ keyId: 'app', secret: GRANT_SECRET }],
      origins: [ORIGIN],
      admin: { key: ADMIN_KEY, listen: { port: 0 } },
    },
    { environment: {} },
  )
  onTestFinished(() => relay.stop())
  return { relay, ...(await relay.start()) }
}

async function swap(url: string): Promise<string> {
  const owner = { account: 'acme', device: 'laptop', meters: ['calls'] }
  const grant = await createGrant({ keyId: 'app', secret: GRANT_SECRET, ...owner })
  const headers = { 'Content-Type': 'application/json' }
  const response = await fetch(`${url}/v1/token`, { method: 'POST', headers, body: JSON.stringify({ grant }) })
  return ((await response.json()) as { token: string }).token
}

async function send(url: string, token: string, first: number, count: number): Promise<Response> {
  const events = Array.from({ length: count }, (_, index) => ['calls', Date.now(), { quantity: first + index + 1 }])
  const streams = [{ id: STREAM, recorded: 20, dropped: {} }]
  const batch = { v: 1, sentAt: Date.now(), device: 'd', streams, segments: [{ stream: STREAM, first, events }] }
  const headers = { Authorization: `Bearer ${token}`, 'Content-Type': 'application/json', 'Content-Encoding': 'gzip' }
  return await fetch(`${url}/v1/events`, { method: 'POST', headers, body: gzipSync(JSON.stringify(batch)) })
}

test('from a grant to the upstream’s ledger, through a restart while the upstream is down: each event once', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'metertap-whole-'))
  onTestFinished(() => rmSync(folder, { recursive: true }))
  const upstream = await startUpstream()
  const first = await startRelay(join(folder, 'relay.db'), upstream)
  const token = await swap(first.url)
  expect((await readAnswer(await send(first.url, token, 0, 10))).received).toEqual({ [STREAM]: [[0, 9]] })
  await vi.waitFor(() => expect(upstream.ledger.totals('meter-1').billable).toBe(10), 30_000)

  upstream.faults.set([{ kind: 'status', status: 503 }])
  expect((await readAnswer(await send(first.url, token, 5, 15))).received).toEqual({ [STREAM]: [[0, 19]] })
  await first.relay.stop()
  upstream.faults.clear()

  const second = await startRelay(join(folder, 'relay.db'), upstream)
  expect((await readAnswer(await send(second.url, token, 0, 20))).received, 'the old token works').toEqual({
    [STREAM]: [[0, 19]],
  })
  await vi.waitFor(() => expect(upstream.ledger.totals('meter-1').billable).toBe(20), 30_000)
  const rows = [...upstream.ledger.events('meter-1')]
  const quantities = rows.map(({ Quantity }) => Number(Quantity)).toSorted((a, b) => a - b)
  expect(quantities).toEqual(Array.from({ length: 20 }, (_, index) => index + 1))
  expect(new Set(rows.map(({ CustomerId }) => CustomerId))).toEqual(new Set(['acme']))

  expect(upstream.ledger.totals('meter-1').duplicates).toBe(0)

  const headers = { Authorization: `Bearer ${ADMIN_KEY}` }
  await vi.waitFor(async () => {
    const ledger = await (await fetch(`${second.adminUrl}/v1/ledger`, { headers })).json()
    expect(ledger).toMatchObject({
      totals: { recorded: 20, received: 20, forwarded: 20, rejected: 0, dead: 0, missing: 0 },
      forwarding: expect.arrayContaining([expect.objectContaining({ lane: 'calls', accepted: 10 })]),
    })
  }, 30_000)
})
