import { mkdtempSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { v7 } from 'uuid'
import { expect, test } from 'vitest'
import { createForwarder } from '../../src/relay/forward/create-forwarder.ts'
import type { RelayStore } from '../../src/relay/store/contract.ts'
import { openSqliteStore } from '../../src/relay/store/sqlite/open-sqlite-store.ts'
import { verifyStore } from '../../src/relay/store/sqlite/verify-store.ts'
import type { Fault, ZuoraStandIn } from '../../src/zuora-stand-in/contract.ts'
import { startZuoraStandIn } from '../../src/zuora-stand-in/server.ts'
import { callsMeter, fastTime, UPSTREAM_CLIENT } from '../support/calls-upstream.ts'
import { routeOf } from '../support/forward-fixture.ts'

const EVENTS = process.env.METERTAP_LONG ? 1_000_000 : 20_000
const EVENTS_PER_BATCH = 500
const ACCOUNTS = 50
/** Real sockets on a clock that runs this many times as fast, so that waiting is short. */
const SPEED = 20
const POISON = 13_000_013
/** So rarely is an event one that the upstream refuses. */
const POISON_EVERY = 49_999

const FAULTS: readonly Fault[] = [
  { kind: 'status', status: 500, probability: 0.04 },
  { kind: 'status', status: 503, stored: true, probability: 0.04 },
  { kind: 'rate-limit', retryAfter: 1, probability: 0.02 },
  { kind: 'answer-lost', probability: 0.03 },
  { kind: 'answer-lost', cut: 'body', probability: 0.03 },
  { kind: 'unauthorized', probability: 0.02 },
  { kind: 'connection-refused', probability: 0.02 },
  { kind: 'too-large', maxRows: 600, probability: 0.05 },
  { kind: 'refuse-rows', where: { field: 'Quantity', equals: POISON } },
]

test(`${EVENTS.toLocaleString('en')} stored events go through random faults, and the ledgers are equal`, async () => {
  const folder = mkdtempSync(join(tmpdir(), 'metertap-million-'))
  const path = join(folder, 'relay.db')
  const { clock, timer } = fastTime(SPEED)
  const zuora = await startZuoraStandIn({
    clients: [UPSTREAM_CLIENT],
    meters: [callsMeter('calls-id')],
    // Partial: of a refused call the good rows are stored, which the relay cannot know.
    ...{ environment: 'developer-sandbox', partial: 'partial', now: clock, keepRows: false, faults: FAULTS },
  })
  const store = openSqliteStore({ path, clock })
  const forwarder = createForwarder({
    ...{ store, routes: [routeOf('calls', { meterGlobalId: 'calls-id' })], owner: 'o1', clock, timer, fetch },
    ...{ random: Math.random, log: () => {}, stopGraceMs: 20_000 },
    upstream: {
      ...{ restBase: zuora.url, ...UPSTREAM_CLIENT, environment: 'developer-sandbox' },
      timeoutMs: 60_000,
    },
  })
  try {
    const began = performance.now()
    const { sum, poison } = await record(store, clock)
    const stored = performance.now()
    forwarder.start()
    const most = await finish(store, () => forwarder.stats()[0]?.inFlight ?? 0)
    const done = performance.now()
    await forwarder.stop()
    await expectEqual(store, zuora, { sum, poison })
    expect(await verifyStore(path)).toMatchObject({ ok: true, eventsOnTheWay: 0 })
    console.info(
      describe({ storedMs: stored - began, forwardedMs: done - stored, most, zuora, bytes: statSync(path).size }),
    )
  } finally {
    await forwarder.stop()
    await store.close()
    await zuora.close()
    rmSync(folder, { recursive: true })
  }
})

/** Stores the events of some accounts' streams; the sum of the good ones' quantities, and how many are bad. */
async function record(store: RelayStore, clock: () => number): Promise<{ sum: number; poison: number }> {
  const streams = Array.from({ length: ACCOUNTS }, () => v7())
  let sum = 0
  let poison = 0
  for (let first = 0; first < EVENTS; first += EVENTS_PER_BATCH) {
    const account = (first / EVENTS_PER_BATCH) % ACCOUNTS
    const stream = streams[account] as string
    const from = Math.floor(first / EVENTS_PER_BATCH / ACCOUNTS) * EVENTS_PER_BATCH
    const events = Array.from({ length: EVENTS_PER_BATCH }, (_, i) => {
      const isBad = (first + i) % POISON_EVERY === 777
      const quantity = isBad ? POISON : first + i
      if (isBad) poison++
      else sum += quantity
      return { stream, seq: from + i, meter: 'calls', atMs: clock(), data: JSON.stringify({ quantity, unit: 'call' }) }
    })
    const who = { tenant: 'default', account: `account-${account}`, device: 'd1', receivedAtMs: clock() }
    const streamReports = [{ id: stream, recorded: from + EVENTS_PER_BATCH, dropped: {} }]
    await store.accept({ ...who, streams: streamReports, events, refused: [] })
  }
  return { sum, poison }
}

/** Waits until nothing is on its way; the most calls that were seen under way at once. */
async function finish(store: RelayStore, inFlight: () => number): Promise<number> {
  let most = 0
  for (;;) {
    const { received, forwarded, dead } = await store.totals()
    if (received === forwarded + dead) return most
    most = Math.max(most, inFlight())
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
}

async function expectEqual(
  store: RelayStore,
  zuora: ZuoraStandIn,
  { sum, poison }: { sum: number; poison: number },
): Promise<void> {
  expect(await store.totals()).toMatchObject({
    ...{ recorded: EVENTS, received: EVENTS, forwarded: EVENTS - poison, dead: poison, missing: 0, rejected: 0 },
  })
  const billed = zuora.ledger.totals('calls-id')
  expect(billed).toMatchObject({ billable: EVENTS - poison, duplicates: 0, failedLater: 0 })
  expect(billed.sums.Quantity).toBe(String(sum))
  // There were faults, and what they made double was caught.
  expect(billed.deduplicated).toBeGreaterThan(0)
  expect(poison).toBeGreaterThan(0)
  const hours = await store.ledgerByHour({ limit: 1_000_000 })
  expect(hours.reduce((total, { forwarded }) => total + forwarded, 0)).toBe(EVENTS - poison)
  const letters = await store.deadLetters({ limit: 1_000 })
  expect(letters.map(({ data }) => JSON.parse(data).quantity)).toEqual(letters.map(() => POISON))
}

function describe(seen: {
  storedMs: number
  forwardedMs: number
  most: number
  zuora: ZuoraStandIn
  bytes: number
}): string {
  const { calls, deduplicated } = seen.zuora.ledger.totals('calls-id')
  const rate = (ms: number): string => `${Math.round(EVENTS / ms)}k events/s`
  return [
    `stored at ${rate(seen.storedMs)}, forwarded at ${rate(seen.forwardedMs)} in ${calls} calls, at most ${seen.most} at once,`,
    `${deduplicated} resent rows caught, database ${Math.round(seen.bytes / 2 ** 20)} MiB`,
  ].join(' ')
}
