import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { Forwarder } from '../../src/relay/forward/contract.ts'
import { createForwarder } from '../../src/relay/forward/create-forwarder.ts'
import type { RelayStore } from '../../src/relay/store/contract.ts'
import { openSqliteStore } from '../../src/relay/store/sqlite/open-sqlite-store.ts'
import type { Fault, ZuoraStandIn } from '../../src/zuora-stand-in/contract.ts'
import { startZuoraStandIn } from '../../src/zuora-stand-in/server.ts'
import { callsMeter, fastTime, UPSTREAM_CLIENT } from '../support/calls-upstream.ts'
import { routeOf, STREAM } from '../support/forward-fixture.ts'

/** Real sockets on a clock that runs this many times as fast. */
const SPEED = 50
const POISON = 13_000_013

describe('forwarder and Zuora stand-in', () => {
  let folder: string
  let zuora: ZuoraStandIn
  let store: RelayStore
  let forwarder: Forwarder
  let recorded: number
  let sum: number
  const { clock, timer } = fastTime(SPEED)

  async function open(partial: 'all-or-nothing' | 'partial'): Promise<void> {
    folder = mkdtempSync(join(tmpdir(), 'metertap-zuora-'))
    recorded = 0
    sum = 0
    zuora = await startZuoraStandIn({
      clients: [UPSTREAM_CLIENT],
      meters: [callsMeter('calls-id')],
      ...{ environment: 'api-sandbox', partial, now: clock },
    })
    store = openSqliteStore({ path: join(folder, 'relay.db'), clock })
    forwarder = createForwarder({
      ...{ store, routes: [routeOf('calls', { meterGlobalId: 'calls-id' })], owner: 'o1', clock, timer, fetch },
      ...{ random: Math.random, log: () => {}, stopGraceMs: 1_000 },
      upstream: {
        ...{ restBase: zuora.url, ...UPSTREAM_CLIENT, environment: 'api-sandbox' },
        timeoutMs: 30_000,
      },
    })
    forwarder.start()
  }
  async function close(): Promise<void> {
    await forwarder.stop()
    await store.close()
    await zuora.close()
    rmSync(folder, { recursive: true })
  }
  beforeEach(() => open('all-or-nothing'))
  afterEach(close)

  async function record(count: number, quantityOf = (seq: number): number => seq): Promise<void> {
    const first = recorded
    recorded += count
    const events = Array.from({ length: count }, (_, i) => {
      const quantity = quantityOf(first + i)
      if (quantity !== POISON) sum += quantity
      return { stream: STREAM, seq: first + i, meter: 'calls', atMs: clock(), data: JSON.stringify({ quantity }) }
    })
    const streams = [{ id: STREAM, recorded, dropped: {} }]
    const who = { tenant: 'default', account: 'acme', device: 'd1', receivedAtMs: clock() }
    await store.accept({ ...who, streams, events, refused: [] })
    forwarder.wake('calls')
  }

  /** Waits until nothing is left to forward, then holds both ledgers against each other. */
  async function expectExact(dead = 0): Promise<void> {
    for (;;) {
      const { received, ...rest } = await store.totals()
      if (received === rest.forwarded + rest.dead) break
      await new Promise((resolve) => setTimeout(resolve, 5))
    }
    expect(await store.totals()).toMatchObject({
      recorded,
      received: recorded,
      forwarded: recorded - dead,
      dead,
      missing: 0,
    })
    const billed = zuora.ledger.totals('calls-id')
    expect(billed.billable).toBe(recorded - dead)
    expect(billed.duplicates).toBe(0)
    expect(billed.failedLater).toBe(0)
    expect(billed.sums.Quantity).toBe(String(sum))
    expect(zuora.ledger.oddities).toEqual({})
  }

  test('without faults: every event once, in full calls', async () => {
    await record(5_500)
    await expectExact()
    expect(zuora.ledger.calls('calls-id').map(({ rows }) => rows)).toEqual([1_000, 1_000, 1_000, 1_000, 1_000, 500])
    expect(zuora.ledger.totals('calls-id').deduplicated).toBe(0)
  })

  test.each<[string, Fault[], number]>([
    [
      '500, before and after storing',
      [
        { kind: 'status', status: 500, times: 2 },
        { kind: 'status', status: 500, stored: true, times: 2 },
      ],
      4,
    ],
    [
      '429 with Retry-After, as seconds and as a date',
      [
        { kind: 'rate-limit', retryAfter: 2, times: 2 },
        { kind: 'rate-limit', retryAfter: 3, asDate: true, times: 1 },
      ],
      3,
    ],
    [
      'lost answers',
      [
        { kind: 'answer-lost', times: 2 },
        { kind: 'answer-lost', cut: 'body', times: 2 },
      ],
      4,
    ],
    ['answers that come too late', [{ kind: 'slow', delayMs: 1_000, when: 'after', times: 2 }], 2],
    ['refused connections', [{ kind: 'connection-refused', times: 3 }], 3],
    ['ended tokens', [{ kind: 'unauthorized', times: 1 }], 1],
    ['a failing token endpoint', [{ kind: 'status', status: 503, on: 'token', times: 3 }], 0],
    ['a redirect', [{ kind: 'redirect', location: 'http://127.0.0.1:1/', times: 1 }], 1],
    ['403 for a while', [{ kind: 'status', status: 403, times: 2 }], 2],
    ['pages of a proxy', [{ kind: 'status', status: 502, body: 'html', times: 3 }], 3],
  ])('%s: the same bytes again, and the ledgers agree', async (_, faults, failures) => {
    zuora.faults.set(faults)
    await record(800)
    await expectExact()
    expect(zuora.faults.list().every(({ left }) => left === 0)).toBe(true)
    // A call whose answer comes late is written down late.
    await expect.poll(() => zuora.ledger.calls('calls-id').length).toBe(failures + 1)
    const calls = zuora.ledger.calls('calls-id')
    const seen = calls.filter(({ wireBytes }) => wireBytes > 0)
    expect(new Set(seen.map(({ sha256 }) => sha256)).size).toBe(1)
    expect(new Set(calls.map(({ trackId }) => trackId)).size).toBe(1)
  })

  test('413: smaller calls, none refused for ever', async () => {
    zuora.faults.set([{ kind: 'too-large', maxRows: 150 }])
    await record(1_000)
    await expectExact()
    expect(
      Math.max(
        ...zuora.ledger
          .calls('calls-id')
          .filter(({ status }) => status === 200)
          .map(({ rows }) => rows),
      ),
    ).toBeLessThanOrEqual(150)
  })

  test.each(['all-or-nothing', 'partial'] as const)(
    'poison events are buried, the rest is billed once: %s',
    async (partial) => {
      await close()
      await open(partial)
      zuora.faults.set([{ kind: 'refuse-rows', where: { field: 'Quantity', equals: POISON } }])
      const isPoison = (seq: number): boolean => seq === 0 || seq === 700 || seq === 701 || seq === 1_999
      await record(2_000, (seq) => (isPoison(seq) ? POISON : seq))
      await expectExact(4)
      expect((await store.deadLetters()).map(({ seq }) => seq).toSorted((a, b) => a - b)).toEqual([0, 700, 701, 1_999])
      // Where the good rows of a refused call were stored, their second coming is caught by the unique id.
      expect(zuora.ledger.totals('calls-id').deduplicated > 0).toBe(partial === 'partial')
    },
  )

  test('everything at once, in random order', async () => {
    zuora.faults.set([
      { kind: 'status', status: 500, probability: 0.1 },
      { kind: 'status', status: 503, stored: true, probability: 0.1 },
      { kind: 'rate-limit', retryAfter: 1, probability: 0.05 },
      { kind: 'answer-lost', probability: 0.1 },
      { kind: 'answer-lost', cut: 'body', probability: 0.1 },
      { kind: 'unauthorized', probability: 0.05 },
      { kind: 'connection-refused', probability: 0.05 },
      { kind: 'too-large', maxRows: 400, probability: 0.5 },
      { kind: 'refuse-rows', where: { field: 'Quantity', equals: POISON } },
    ])
    for (let round = 0; round < 20; round++) {
      await record(300, (seq) => (seq % 1_500 === 77 ? POISON : seq))
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
    await expectExact(4)
    expect(zuora.ledger.calls('calls-id').filter(({ fault }) => fault !== undefined).length).toBeGreaterThan(10)
  })
})
