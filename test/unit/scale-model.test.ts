import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { describe, expect, onTestFinished, test } from 'vitest'
import * as z from 'zod'
import { readEdgeReport } from '../../bench/scale/measure/edge.ts'
import { Agenda } from '../../bench/scale/model/agenda.ts'
import {
  ACCOUNT_REQUESTS_PER_MINUTE,
  ceilingsOf,
  MAX_BACKLOG_EVENTS,
  TENANT_REQUESTS_PER_MINUTE,
} from '../../bench/scale/model/ceilings.ts'
import type { Costs } from '../../bench/scale/model/contract.ts'
import { costOf, costsOf, fit, HELD_OUT, lineOf } from '../../bench/scale/model/costs.ts'
import { loadFrom, MILLION } from '../../bench/scale/model/load.ts'
import { pointOf, readMeasured, writeMeasured } from '../../bench/scale/model/measured.ts'
import { databaseNeeds, EDGE_LIMITS, edgeNeeds, relayNeeds } from '../../bench/scale/model/needs.ts'
import { Queue } from '../../bench/scale/model/queue.ts'
import { reproduce } from '../../bench/scale/model/scenarios.ts'
import type { SimulationOptions } from '../../bench/scale/model/sim-contract.ts'
import { simulate } from '../../bench/scale/model/simulate.ts'
import { allowancesOf, rowsPerCall, tightestOf, upstreamNeeds } from '../../bench/scale/model/upstream.ts'
import { defineMeter } from '../../src/index.ts'
import type { RelayConfig } from '../../src/relay/config/define-config.ts'
import { resolveConfig } from '../../src/relay/config/resolve-config.ts'
import { resolveEdgeSettings } from '../../src/relay/edge/edge-settings.ts'

/** How far a computed figure may lie from the measured one: docs/scale.md says so. */
const TOLERANCE = 0.3

const measured = readMeasured()
const callsMeter = defineMeter('calls', z.object({ quantity: z.int() }))
const COSTS: Costs = {
  sqlite: { acceptUs: { perRequest: 500, perEvent: 5 }, forwardUsPerRow: 5 },
  postgres: {
    acceptUs: { perRequest: 500, perEvent: 5 },
    databaseUs: { perRequest: 500, perEvent: 2 },
    walBytes: { perRequest: 2_000, perEvent: 20 },
    ...{ transactionsPerRequest: 0.5, forwardUsPerRow: 5, databaseUsPerRow: 1, walBytesPerRow: 10 },
    ...{ streamBytes: 400, streamWalBytes: 500, keyBytes: 100, keyWalBytes: 200 },
  },
  edge: { acceptUs: { perRequest: 1_000, perEvent: 4 }, streamBytes: 200 },
}

describe('the model against what was measured', () => {
  test.each([
    ['sqlite', 'relayCpuUs'],
    ['postgres', 'relayCpuUs'],
    ['postgres', 'databaseCpuUs'],
    ['postgres', 'walBytes'],
  ] as const)('%s, %s: the line holds for batches that it was not drawn through', (store, what) => {
    for (const size of HELD_OUT) {
      const off =
        costOf(lineOf(measured, store, what), size) / pointOf(measured, `${store}.accept.batch${size}.${what}`) - 1
      expect(Math.abs(off)).toBeLessThan(TOLERANCE)
    }
  })

  test('the simulation takes as long as the relay did, and waits as much', () => {
    const rows = reproduce(measured)
    expect(rows).toHaveLength(5)
    for (const { what, measured: seen, simulated, from, to } of rows) {
      if (from !== undefined && to !== undefined) {
        expect(seen, what).toBeGreaterThanOrEqual(from)
        expect(seen, what).toBeLessThanOrEqual(to)
        continue
      }
      expect(simulated / seen - 1, what).toBeLessThan(TOLERANCE)
      // On a busy machine it takes longer, and how much longer says nothing of the model.
      if (!measured.forward?.isPreliminary) expect(simulated / seen - 1, what).toBeGreaterThan(-TOLERANCE)
    }
  })

  test('a point that was never measured is named with what measures it', () => {
    expect(() => pointOf(measured, 'sqlite.nothing')).toThrow(/sqlite\.nothing.*scale:measure/)
  })

  test('points are written with four digits and read again', () => {
    const folder = mkdtempSync(join(tmpdir(), 'metertap-points-'))
    onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
    const part = { command: 'c', machine: 'm', date: '2026-01-01', load: 12.34567, isPreliminary: true }
    writeMeasured({ part: { ...part, points: { p: 1.234567 } } }, join(folder, 'points.json'))
    expect(readMeasured(join(folder, 'points.json'))).toEqual({ part: { ...part, points: { p: 1.235 } } })
  })

  test('what the bench of the edge prints is read, or refused', () => {
    const text =
      'head\n50 | 100 | 200 | 2.00\nbytes that an event takes in a shard while it waits: 36.1\nbytes that a stream keeps for good: 176.0\n'
    expect(readEdgeReport(text)).toEqual({
      ...{ 'edge.accept.batch50.eventsPerS': 200, 'edge.eventBytes': 36.1, 'edge.streamBytes': 176 },
    })
    expect(() => readEdgeReport('nothing')).toThrow('no table')
  })
})

describe('costs', () => {
  test('a line through points that lie on one is that line', () => {
    const line = fit([10, 50, 5_000].map((events) => [events, 700 + 4 * events] as const))
    expect(line.perRequest).toBeCloseTo(700)
    expect(line.perEvent).toBeCloseTo(4)
  })

  test('no part of a cost is below nothing', () => {
    const line = fit([
      [10, 10],
      [50, 100],
      [5_000, 20_000],
    ])
    expect(line.perRequest).toBe(0)
    expect(costsOf(measured).postgres.acceptUs.perRequest).toBeGreaterThan(0)
  })
})

describe('needs', () => {
  const load = { ...MILLION, eventsPerS: 100_000, batchEvents: 100, useOfCore: 0.5 }

  test('relays: cores for accepting and forwarding, at the planned use', () => {
    // 1,000 requests of 1,000 µs; 100,000 rows of 5 µs.
    const { requestsPerS, acceptCores, forwardCores, processes, processesByDefaultLimit } = relayNeeds(
      load,
      COSTS.postgres,
    )
    expect([requestsPerS, acceptCores, forwardCores]).toEqual([1_000, 1, 0.5])
    expect([processes, processesByDefaultLimit]).toEqual([3, 1])
  })

  test('a database: what is written grows with batches, rows, streams and keys', () => {
    const quiet = { ...load, streamsPerDay: 0, keyShare: 0 }
    const needs = databaseNeeds(quiet, COSTS)
    expect(needs.walBytesPerS).toBeCloseTo(1_000 * (2_000 + 100 * 20) + 100_000 * 10)
    expect(needs.imageBytesPerS).toBe(0)
    const more = databaseNeeds({ ...quiet, streamsPerDay: 86_400, keyShare: 0.001 }, COSTS)
    expect(more.walBytesPerS - needs.walBytesPerS).toBeCloseTo(500 + 100 * 200)
    expect(more.imageBytesPerS).toBeCloseTo(101 * 8_192)
    expect(more.streamBytes).toBeCloseTo(86_400 * 365 * 400)
  })

  test('the edge: speed and room each ask for shards, and a Worker has so many', () => {
    const needs = edgeNeeds({ ...load, streamsPerDay: 1e7 }, COSTS)
    expect(needs.eventsPerSOfShard).toBeCloseTo(100 / 0.0014)
    expect(needs.shardsBySpeed).toBe(3)
    expect(needs.shardsByRoom).toBe(Math.ceil((1e7 * 365 * 200 + 100_000 * 3_600 * 138) / 10e9))
    expect(edgeNeeds({ ...load, streamsPerDay: 1e8 }, COSTS).workers).toBeGreaterThan(1)
  })

  test('more of anything never needs less', () => {
    const larger = fc.record({
      factor: fc.double({ min: 1, max: 50, noNaN: true }),
      batch: fc.integer({ min: 1, max: 5_000 }),
    })
    fc.assert(
      fc.property(larger, ({ factor, batch }) => {
        const base = { ...load, batchEvents: batch }
        const more = { ...base, eventsPerS: base.eventsPerS * factor }
        expect(relayNeeds(more, COSTS.postgres).processes).toBeGreaterThanOrEqual(
          relayNeeds(base, COSTS.postgres).processes,
        )
        expect(databaseNeeds(more, COSTS).databases).toBeGreaterThanOrEqual(databaseNeeds(base, COSTS).databases)
        expect(edgeNeeds(more, COSTS).shardsBySpeed).toBeGreaterThanOrEqual(edgeNeeds(base, COSTS).shardsBySpeed)
      }),
    )
  })
})

describe('the upstream', () => {
  test('the limits by the hour and the day lie below the one by the minute', () => {
    const [minute, hour, day] = allowancesOf('production')
    expect([minute, hour, day].map((each) => Math.round((each?.callsPerS ?? 0) * 10_000))).toEqual([
      ...[8_333_333, 6_250_000, 3_125_000],
    ])
    expect(tightestOf('production')).toEqual(day)
    expect(day?.usedCallsPerS).toBeCloseTo((27e6 * 0.75) / 86_400)
  })

  test('rows are bounded by their number or by their bytes', () => {
    expect(rowsPerCall({ tier: 'production', rowBytes: 141 })).toBe(10_000)
    expect(rowsPerCall({ tier: 'production', rowBytes: 999 })).toBe(3_599)
    expect(rowsPerCall({ tier: 'production', rowBytes: 1e9 })).toBe(1)
  })

  test('the defaults that a large load meets are the relay’s', () => {
    const config = {
      ...{ publicUrl: 'https://usage.example.com', store: { sqlite: 'x.db' }, origins: [] },
      meters: [{ meter: callsMeter, upstream: { meterGlobalId: 'm', fields: { Id: 'id' } } }],
      upstream: { restBase: 'https://rest.zuora.com', clientId: 'c', clientSecret: 'secret' },
      grants: [{ keyId: 'app', secret: 'a-secret-of-more-than-thirty-two-bytes' }],
    } satisfies RelayConfig
    const { limits } = resolveConfig(config, { environment: {}, readFile: () => '' })
    expect(limits).toMatchObject({
      accountPerMinute: ACCOUNT_REQUESTS_PER_MINUTE,
      tenantPerMinute: TENANT_REQUESTS_PER_MINUTE,
      maxBacklogEvents: MAX_BACKLOG_EVENTS,
    })
    const { store: _, ...worker } = config
    expect(resolveEdgeSettings({ ...worker, shards: EDGE_LIMITS.shardsOfOneWorker }, {}).shards).toBe(128)
    expect(() => resolveEdgeSettings({ ...worker, shards: EDGE_LIMITS.shardsOfOneWorker + 1 }, {})).toThrow('shards')
  })

  test('a load above what the day allows never catches up', () => {
    expect(upstreamNeeds(MILLION).drainS).toBeLessThan(3_600)
    expect(upstreamNeeds({ ...MILLION, eventsPerS: 3e6 }).drainS).toBe(Number.POSITIVE_INFINITY)
  })

  test('what ends is told nearest first, and each with what to do', () => {
    const ceilings = ceilingsOf(MILLION, COSTS)
    const rates = ceilings.map(({ eventsPerS }) => eventsPerS)
    expect(rates).toEqual(rates.toSorted((a, b) => a - b))
    expect(ceilings.every(({ thenDo }) => thenDo.length > 0)).toBe(true)
  })
})

describe('a load by options', () => {
  test('has short names for what one asks most, and the rest as it was', () => {
    expect(loadFrom({ load: '5000', batch: '20', tier: 'api-sandbox' })).toEqual({
      ...MILLION,
      ...{ eventsPerS: 5_000, batchEvents: 20, tier: 'api-sandbox' },
    })
  })

  test.each([
    ['load', '0', /--eventsPerS must be a number above 0/],
    ['batch', 'many', /--batchEvents must be a number/],
    ['keyShare', '1.5', /--keyShare must be a number from 0, at most 1/],
    ['tier', 'gold', /--tier must be one of api-sandbox/],
  ])('--%s %s is refused, and says what fits', (name, text, message) => {
    expect(() => loadFrom({ [name]: text })).toThrow(message)
  })
})

describe('the simulation', () => {
  const calls = [{ calls: 50_000, spanMs: 60_000 }]
  const options: SimulationOptions = {
    ...{ seed: 7, durationS: 120, eventsPerS: 10_000, batchEvents: 100, relays: 2, meters: 2, calls },
    ...{ acceptUsPerRequest: 1_000, forwardUsPerRow: 5, storeMs: 2, rowsPerCall: 10_000, callMs: 300 },
  }

  test('the same seed gives the same, another seed another', () => {
    expect(simulate(options)).toEqual(simulate(options))
    expect(simulate(options)).not.toEqual(simulate({ ...options, seed: 8 }))
  })

  test('what comes is forwarded once, or waits', () => {
    const { received, forwarded, samples } = simulate({ ...options, arrivalsUntilS: 60 })
    expect(received).toBeGreaterThan(500_000)
    expect(forwarded).toBe(received)
    expect(samples.at(-1)?.waitingEvents).toBe(0)
  })

  test('while the upstream is away everything waits; then it goes', () => {
    const result = simulate({ ...options, arrivalsUntilS: 60, outage: { fromS: 10, untilS: 40 }, sampleS: 10 })
    const at = (atS: number) => result.samples.find((sample) => sample.atS === atS)
    expect(at(40)?.forwardedPerS).toBe(0)
    expect(at(40)?.waitingEvents).toBeGreaterThan(270_000)
    expect(at(40)?.oldestS).toBeGreaterThan(25)
    expect(result.forwarded).toBe(result.received)
  })

  test('no span sees more calls than the limit allows, and few calls fill up', () => {
    const few = [{ calls: 60, spanMs: 60_000 }]
    const { samples, calls: made, received, forwarded } = simulate({ ...options, calls: few, sampleS: 60 })
    for (const { callsPerS } of samples) expect(callsPerS).toBeLessThanOrEqual(1)
    // Too few calls for small ones: they wait, and hold more.
    expect(forwarded / made).toBeGreaterThan(5_000)
    expect(received).toBeGreaterThan(forwarded)
  })

  test('a database that is too small makes requests wait, and rows', () => {
    const at = (cores: number) => simulate({ ...options, database: { cores, usPerRequest: 5_000, usPerRow: 2 } })
    expect(at(4).accept?.p50Ms).toBeLessThan(50)
    expect(at(0.25).accept?.p50Ms).toBeGreaterThan(1_000)
    expect(at(0.25).forwarded).toBeLessThan(at(4).forwarded)
  })

  test('a core in full use makes requests wait longer', () => {
    const at = (eventsPerS: number) => simulate({ ...options, relays: 1, meters: 1, eventsPerS }).accept?.p50Ms ?? 0
    expect(at(5_000)).toBeGreaterThanOrEqual(3)
    expect(at(60_000)).toBeGreaterThan(at(5_000))
  })
})

test('an agenda keeps the order of time, and of asking at one time', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: 20 }), { maxLength: 100 }), (times) => {
      const agenda = new Agenda()
      const seen: (readonly [number, number])[] = []
      for (const [nth, atMs] of times.entries()) agenda.at(atMs, () => seen.push([agenda.nowMs, nth]))
      agenda.runUntil(20)
      const wanted = times.map((atMs, nth) => [atMs, nth] as const).toSorted((a, b) => a[0] - b[0] || a[1] - b[1])
      expect(seen).toEqual(wanted)
    }),
  )
})

test('a queue gives the oldest first, also after some came back', () => {
  const queue = new Queue()
  for (const atMs of [1, 2, 3]) queue.add({ atMs, events: 10 })
  const taken = queue.take(15)
  expect(taken).toEqual([
    { atMs: 1, events: 10 },
    { atMs: 2, events: 5 },
  ])
  queue.giveBack(taken)
  expect([queue.events, queue.oldestMs]).toEqual([30, 1])
  expect(queue.take(30).map(({ atMs }) => atMs)).toEqual([1, 2, 2, 3])
  expect(queue.take(1)).toEqual([])
})
