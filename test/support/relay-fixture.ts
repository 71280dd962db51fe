import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as z from 'zod'
import type { Meter } from '../../src/meter/contract.ts'
import { createGrant, createRelay, type Relay, type RelayConfig, type RelayDeps } from '../../src/relay.ts'
import { type Problem, problem, type WireAnswer, wireAnswer } from '../../src/wire/contract.ts'
import { GRANT_SECRET, ORIGIN, PUBLIC_URL } from './addresses.ts'

export { ADMIN_KEY, GRANT_SECRET, ORIGIN, PUBLIC_URL } from './addresses.ts'

export const NOW_MS = Date.UTC(2026, 10, 23, 12)
export const STREAM = '0192d3a0-7b1c-7def-8abc-0123456789ab'
export const OTHER_STREAM = '0192d3a0-7b1c-7def-8abc-0123456789ac'

export const calls: Meter = { name: 'calls', schema: z.object({ quantity: z.int().positive() }), options: {} }
export const storage: Meter = { name: 'storage', schema: z.object({ bytes: z.number() }), options: {} }

export function route(meter: Meter): RelayConfig['meters'][number] {
  return { meter, upstream: { meterGlobalId: `id-${meter.name}`, fields: { UsageIdentifier: 'id', At: 'at' } } }
}

export interface TestRelay {
  readonly relay: Relay
  readonly log: { level: string; event: string; fields: unknown }[]
  /** Lanes woken so far. */
  readonly woken: string[]
  readonly clock: { nowMs: number }
  readonly folder: string
  grant(overrides?: Partial<Parameters<typeof createGrant>[0]>): Promise<string>
  token(meters?: readonly string[]): Promise<string>
  request(path: string, init?: RequestInit): Promise<Response>
  /** A request of the operator's. */
  adminRequest(path: string, init?: RequestInit): Promise<Response>
  /** POST /v1/events with a token for every meter. */
  send(batch: unknown, token?: string): Promise<Response>
  close(): Promise<void>
}

/** A place for one relay's store, empty. */
export interface TestStore {
  readonly store: RelayConfig['store']
  remove(): Promise<void>
}

let makeStore: (() => Promise<TestStore>) | undefined

/** From now on the relays of this test file have their stores there. Default: a SQLite file for each. */
export function keepStoresIn(make: () => Promise<TestStore>): void {
  makeStore = make
}

/** A relay over a real store in a folder of its own, with a forwarder that only notes who is woken. */
export async function openTestRelay(
  config: Partial<RelayConfig> = {},
  deps: Partial<RelayDeps> = {},
): Promise<TestRelay> {
  const folder = mkdtempSync(join(tmpdir(), 'metertap-relay-'))
  const clock = { nowMs: NOW_MS }
  const log: TestRelay['log'] = []
  const woken: string[] = []
  const meters = config.meters ?? [route(calls), route(storage)]
  const own = config.store === undefined ? await makeStore?.() : undefined
  const relay = await createRelay(
    {
      publicUrl: PUBLIC_URL,
      listen: { port: 0 },
      store: own?.store ?? { sqlite: join(folder, 'relay.db') },
      upstream: { restBase: 'http://127.0.0.1:9', clientId: 'id', clientSecret: 'client-secret' },
      grants: [{ keyId: 'app', secret: GRANT_SECRET }],
      origins: [ORIGIN],
      ...config,
      meters,
      ...(config.admin === undefined ? {} : { admin: { listen: { port: 0 }, ...config.admin } }),
    },
    {
      clock: () => clock.nowMs,
      environment: {},
      log: (level, event, fields) => log.push({ level, event, fields }),
      createForwarder: () => ({
        start: () => {},
        wake: (lane = '*') => woken.push(lane),
        stop: async () => {},
        stats: () => [],
      }),
      ...deps,
    },
  )
  let grants = 0
  const grant: TestRelay['grant'] = (overrides = {}) =>
    createGrant(
      {
        keyId: 'app',
        secret: GRANT_SECRET,
        account: 'acme',
        device: 'laptop',
        meters: meters.map(({ meter }) => meter.name),
        ...overrides,
      },
      { clock: () => clock.nowMs, uuid: () => `grant-${grants++}` },
    )
  const request: TestRelay['request'] = (path, init) => relay.fetch(new Request(`${PUBLIC_URL}${path}`, init))
  const adminRequest: TestRelay['request'] = (path, init) =>
    relay.adminFetch(new Request(`http://admin.example.com${path}`, init))
  const token: TestRelay['token'] = async (names) => {
    const body = JSON.stringify({ grant: await grant(names === undefined ? {} : { meters: names }) })
    const response = await request('/v1/token', {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body,
    })
    return ((await response.json()) as { token: string }).token
  }
  return {
    relay,
    log,
    woken,
    clock,
    folder,
    grant,
    token,
    request,
    adminRequest,
    async send(batch, given) {
      const headers = { Authorization: `Bearer ${given ?? (await token())}`, 'Content-Type': 'application/json' }
      return await request('/v1/events', { method: 'POST', headers, body: JSON.stringify(batch) })
    },
    async close() {
      await relay.stop()
      await own?.remove()
      rmSync(folder, { recursive: true })
    },
  }
}

/** A batch of one stream whose events have the numbers 0, 1, 2 … */
export function batchOf(events: readonly unknown[], overrides: Record<string, unknown> = {}): Record<string, unknown> {
  return {
    v: 1,
    sentAt: NOW_MS,
    device: 'd',
    streams: [{ id: STREAM, recorded: events.length, dropped: {} }],
    segments: [{ stream: STREAM, first: 0, events }],
    ...overrides,
  }
}

export function goodEvent(quantity = 1): [string, number, { quantity: number }] {
  return ['calls', NOW_MS - 1000, { quantity }]
}

/** The 200 answer, checked against the protocol's own schema. */
export async function readAnswer(response: Response): Promise<WireAnswer> {
  const body = await response.json()
  if (response.status !== 200) throw new Error(`${response.status}: ${JSON.stringify(body)}`)
  return wireAnswer.parse(body)
}

/** The refusal, checked against the protocol's own schema. */
export async function readProblem(response: Response): Promise<Problem> {
  const body = problem.parse(await response.json())
  if (response.headers.get('content-type') !== 'application/problem+json') throw new Error('not problem+json')
  if (body.status !== response.status) throw new Error(`status ${body.status} in a ${response.status}`)
  return body
}
