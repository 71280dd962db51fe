import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { assembleEdge, type EdgeApps } from '../../src/relay/edge/assemble-edge.ts'
import { resolveEdgeSettings } from '../../src/relay/edge/edge-settings.ts'
import { gatePatienceMsOf } from '../../src/relay/edge/gate-client.ts'
import { leaseMsOf } from '../../src/relay/forward/forwarder.ts'
import type { RelayStore } from '../../src/relay/store/contract.ts'
import { openSqliteStore } from '../../src/relay/store/sqlite/open-sqlite-store.ts'
import { createGrant } from '../../src/relay.ts'
import { openMemoryKeys } from '../support/memory-keys.ts'
import {
  batchOf,
  calls,
  GRANT_SECRET,
  goodEvent,
  NOW_MS,
  PUBLIC_URL,
  readAnswer,
  readProblem,
  route,
} from '../support/relay-fixture.ts'
import { NO_RECONCILING, shardOver } from '../support/store-shard.ts'

const settings = resolveEdgeSettings(
  {
    ...{ publicUrl: PUBLIC_URL, meters: [route(calls)], origins: [], grants: [{ keyId: 'app', secret: GRANT_SECRET }] },
    upstream: { restBase: 'https://rest.zuora.com', clientId: 'id', clientSecret: 'client-secret' },
    shards: 2,
    policy: { flushIntervalMs: 60_000 },
  },
  {},
)

let folder: string
let stores: RelayStore[]
let asked: string[]
let nowMs: number
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'metertap-edge-apps-'))
  stores = [0, 1].map((i) => openSqliteStore({ path: join(folder, `${i}.db`), clock: () => nowMs }))
  asked = []
  nowMs = NOW_MS
})
afterEach(async () => {
  for (const store of stores) await store.close()
  rmSync(folder, { recursive: true })
})

/** One isolate's apps; what it asks of objects is noted. */
function open(keys = openMemoryKeys(asked), shards = stores): Promise<EdgeApps> {
  const faces = shards.map((store) => shardOver(store, (name) => asked.push(name)))
  const outside = { fetch, clock: () => nowMs, uuid: () => crypto.randomUUID(), log: () => {} }
  return assembleEdge({
    settings,
    shards: faces,
    keys,
    reconciling: NO_RECONCILING,
    loadConsole: undefined,
    ...outside,
  })
}

async function post({ app }: EdgeApps, path: string, body: unknown, token = ''): Promise<Response> {
  const headers = { 'Content-Type': 'application/json', Authorization: `Bearer ${token}` }
  return await app.fetch(
    new Request(`${PUBLIC_URL}${path}`, { method: 'POST', headers, body: JSON.stringify(body) }),
    {},
  )
}

async function tokenOf(apps: EdgeApps, account: string): Promise<string> {
  const owner = { account, device: 'd', meters: ['calls'] }
  const grant = await createGrant(
    { keyId: 'app', secret: GRANT_SECRET, ...owner },
    { clock: () => nowMs, uuid: () => crypto.randomUUID() },
  )
  return ((await (await post(apps, '/v1/token', { grant })).json()) as { token: string }).token
}

const batch = (n: number) => ({
  ...batchOf([goodEvent()]),
  segments: [{ stream: streamOf(n), first: 0, events: [goodEvent()] }],
  streams: [{ id: streamOf(n), recorded: 1, dropped: {} }],
})
const streamOf = (n: number): string => `0192d3a0-7b1c-7def-8abc-${String(n).padStart(12, '0')}`

test('a batch’s answer tells the policy', async () => {
  const apps = await open()
  const answer = await readAnswer(await post(apps, '/v1/events', batch(0), await tokenOf(apps, 'acme')))
  expect(answer.policy).toEqual({ flushIntervalMs: 60_000 })
})

test('a batch costs one question to one shard, and the keys are asked every few seconds', async () => {
  const apps = await open()
  const tokens = [await tokenOf(apps, 'acme'), await tokenOf(apps, 'globex')]
  asked.length = 0
  for (let n = 0; n < 100; n++) {
    nowMs += 100
    await readAnswer(await post(apps, '/v1/events', batch(n), tokens[n % 2]))
  }
  expect(asked.filter((name) => name === 'accept')).toHaveLength(100)
  // Ten seconds: the revocations twice, the signing keys once.
  expect(asked.filter((name) => name !== 'accept').length).toBeLessThanOrEqual(4)
})

test('a shard that cannot take it now says so as the relay does, and one that fails acknowledges nothing', async () => {
  const refusing = {
    ...(stores[0] as RelayStore),
    accept: async () => ({ refused: { code: 'overloaded', detail: 'later', headers: { 'Retry-After': '60' } } }),
  }
  const failing = { ...(stores[0] as RelayStore), accept: () => Promise.reject(new Error('gone')) }
  for (const [store, code] of [
    [refusing, 'overloaded'],
    [failing, 'unavailable'],
  ] as const) {
    const apps = await open(openMemoryKeys(), [store, store] as unknown as RelayStore[])
    const response = await post(apps, '/v1/events', batch(0), await tokenOf(apps, 'acme'))
    expect(response.headers.get('retry-after')).not.toBeNull()
    expect(await readProblem(response)).toMatchObject({ status: 503, code })
  }
})

test('while the keys are away nothing is taken, with Retry-After; then all goes on under the same tokens', async () => {
  const whole = openMemoryKeys()
  let isGone = false
  const keys = {
    ...whole,
    revocations: (version: number) => (isGone ? Promise.reject(new Error('gone')) : whole.revocations(version)),
  }
  const apps = await open(keys)
  const token = await tokenOf(apps, 'acme')
  nowMs += 10_000
  isGone = true
  const refused = await post(apps, '/v1/events', batch(0), token)
  expect(refused.headers.get('retry-after')).not.toBeNull()
  expect(await readProblem(refused)).toMatchObject({ status: 503, code: 'unavailable' })
  isGone = false
  await readAnswer(await post(apps, '/v1/events', batch(0), token))
})

test('a token of one isolate is good in another, and a revocation reaches it within seconds', async () => {
  const keys = openMemoryKeys()
  const [here, there] = [await open(keys), await open(keys)]
  const token = await tokenOf(here, 'acme')
  expect((await post(there, '/v1/events', batch(0), token)).status).toBe(200)
  nowMs += 1_000
  await keys.revoke({ tenant: 'default', account: 'acme', beforeMs: nowMs })
  nowMs += 5_000
  expect(await readProblem(await post(there, '/v1/events', batch(1), token))).toMatchObject({ code: 'token_revoked' })
})

test('another number of shards than at the beginning is refused: accounts would lose their streams', async () => {
  const keys = openMemoryKeys()
  await open(keys)
  await expect(open(keys, [...stores, ...stores])).rejects.toMatchObject({
    code: 'bad_option',
    message: expect.stringMatching(/begun with 2 shards, and now has 4.*Say shards: 2 again.*deploying-the-relay\.md/),
    detail: { option: 'shards', known: 2, shards: 4 },
  })
})

test.each([50, 1_000, 5_000, 30_000, 300_000])(
  'a step that waits for calls of %i ms and twice for the gate ends before another may send the same',
  (timeoutMs) => {
    const patienceMs = gatePatienceMsOf(timeoutMs)
    expect(patienceMs, 'the gate may be waiting for its token').toBeGreaterThan(timeoutMs)
    expect(2 * timeoutMs + 2 * patienceMs).toBeLessThan(leaseMsOf(timeoutMs))
  },
)
