import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client'
import type { Forwarder } from '../forward/contract.ts'
import type { Log } from '../log.ts'
import type { RelayStore } from '../store/contract.ts'
import type { Instruments } from './instruments.ts'
import type { Siblings } from './siblings.ts'

export interface MetricsDeps {
  readonly store: Pick<RelayStore, 'totals' | 'backlog'>
  readonly forwarder: Pick<Forwarder, 'stats'>
  /** Why the relay takes nothing now, if it does not. */
  readonly pressure: () => string | undefined
  /** Bytes of open bodies. */
  readonly openBytes: () => number
  readonly log: Log
  /** Wall clock, ms. */
  readonly clock: () => number
  /** Default: there are none. */
  readonly siblings?: Siblings
}

export interface Metrics {
  readonly instruments: Instruments
  /** The Prometheus text format. */
  render(): Promise<{ readonly text: string; readonly contentType: string }>
}

const SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10]
const LANE_STATES = ['stopped', 'idle', 'sending', 'backing_off', 'paused'] as const
const LANE_HOLDS = ['everything_refused', 'everything_unmappable'] as const

/**
 * The relay's metrics, in registries of their own: several relays of one process do not mix. One is this process's own,
 * which its siblings' are added to; the other is the store's, the same for all.
 */
export function createMetrics(deps: MetricsDeps): Metrics {
  const own = new Registry()
  const shared = new Registry()
  collectDefaultMetrics({ register: own })
  const instruments = createInstruments([own])
  const updateOwn = createOwnGauges(deps, [own])
  const updateShared = createStoreGauges(deps, [shared])
  deps.siblings?.join(() => {
    updateOwn()
    return own.getMetricsAsJSON()
  })
  return {
    instruments,
    async render() {
      updateOwn()
      await updateShared().catch((error: unknown) => deps.log('warn', 'metrics_incomplete', { error }))
      const processes = await (deps.siblings?.text() ?? own.metrics())
      return { text: `${processes}\n${await shared.metrics()}`, contentType: own.contentType }
    },
  }
}

function createInstruments(registers: Registry[]): Instruments {
  const counter = <Label extends string>(name: string, help: string, ...labelNames: Label[]): Counter<Label> =>
    new Counter({ name: `metertap_${name}`, help, labelNames, registers })
  const histogram = <Label extends string>(name: string, help: string, ...labelNames: Label[]): Histogram<Label> =>
    new Histogram({ name: `metertap_${name}`, help, labelNames, buckets: SECONDS, registers })

  const requests = histogram('http_request_seconds', 'Requests by route and status.', 'method', 'route', 'status')
  const refused = counter('refused_requests_total', 'Requests refused as a whole, by problem code.', 'code')
  const limited = counter('rate_limited_total', 'Requests refused by a rate limit.', 'bucket')
  const issued = counter('tokens_issued_total', 'Tokens issued, by what proved the user.', 'proof')
  const wireBytes = counter('body_wire_bytes_total', 'Bytes of bodies as they arrived.')
  const bodyBytes = counter('body_bytes_total', 'Bytes of bodies after inflating.')
  const events = counter('events_total', 'Events by what became of them.', 'outcome')
  const rejected = counter('events_rejected_total', 'Rejected events by code.', 'code')
  const commits = histogram('commit_seconds', 'How long a batch waited for its commit and sync.')
  return {
    request: (method, route, status, durationMs) =>
      requests.observe({ method, route, status: String(status) }, durationMs / 1000),
    refused: (code) => refused.inc({ code }),
    limited: (bucket) => limited.inc({ bucket }),
    issued: (proof) => issued.inc({ proof }),
    body(wire, inflated) {
      wireBytes.inc(wire)
      bodyBytes.inc(inflated)
    },
    batch({ stored, duplicates, deferred, rejectedByCode }) {
      events.inc({ outcome: 'stored' }, stored)
      events.inc({ outcome: 'duplicate' }, duplicates)
      events.inc({ outcome: 'deferred' }, deferred)
      for (const [code, count] of rejectedByCode) {
        events.inc({ outcome: 'rejected' }, count)
        rejected.inc({ code }, count)
      }
    },
    commit: (durationMs) => commits.observe(durationMs / 1000),
  }
}

/** `combine` says what becomes of the values of several processes. */
function gaugeIn<Label extends string>(
  registers: Registry[],
  [name, help, ...labelNames]: [name: string, help: string, ...labels: Label[]],
  combine: 'sum' | 'max' = 'max',
): Gauge<Label> {
  return new Gauge({ name: `metertap_${name}`, help, labelNames, registers, aggregator: combine })
}

/** What this process knows of itself, read when somebody asks. */
function createOwnGauges({ forwarder, pressure, openBytes }: MetricsDeps, registers: Registry[]): () => void {
  const lanes = gaugeIn(registers, ['lane_state', '1 for the state that the lane is in.', 'lane', 'state'], 'max')
  const holds = gaugeIn(
    registers,
    ['lane_held', '1 while the lane keeps its whole queue, by reason.', 'lane', 'code'],
    'max',
  )
  const inARow = 'Upstream calls without a verdict, in a row.'
  const failures = gaugeIn(registers, ['lane_failures_in_a_row', inARow, 'lane'], 'max')
  const refusing = gaugeIn(registers, ['refusing', '1 while the relay takes nothing, by reason.', 'reason'], 'max')
  const open = gaugeIn(registers, ['open_body_bytes', 'Bytes of bodies in memory.'], 'sum')
  gaugeIn(registers, ['relay_processes', 'Processes that these metrics are of.'], 'sum').set(1)

  return () => {
    const now = pressure()
    for (const reason of ['disk', 'commit', 'backlog']) refusing.set({ reason }, reason === now ? 1 : 0)
    open.set(openBytes())
    for (const { lane, state, code, failuresInARow } of forwarder.stats()) {
      failures.set({ lane }, failuresInARow)
      for (const one of LANE_STATES) lanes.set({ lane, state: one }, one === state ? 1 : 0)
      for (const one of LANE_HOLDS) holds.set({ lane, code: one }, one === code ? 1 : 0)
    }
  }
}

/** What the store knows, read when somebody asks. */
function createStoreGauges({ store, clock }: MetricsDeps, registers: Registry[]): () => Promise<void> {
  const ledger = gaugeIn(registers, ['ledger_events', 'Numbers of all streams, by where they are.', 'state'])
  const streams = gaugeIn(registers, ['ledger_streams', 'Streams in the ledger.'])
  const notYet = 'Stored events not yet accepted upstream.'
  const backlog = gaugeIn(registers, ['backlog_events', notYet, 'lane', 'state'])
  const howLong = 'How long the oldest of them has been on its way here.'
  const oldest = gaugeIn(registers, ['backlog_oldest_seconds', howLong, 'lane'])

  return async () => {
    const { streams: count, ...states } = await store.totals()
    streams.set(count)
    for (const [state, value] of Object.entries(states)) ledger.set({ state }, value)
    const lanesNow = await store.backlog()
    // A lane that is empty may be told of no more: it would keep its last figure.
    backlog.reset()
    oldest.reset()
    for (const { lane, waiting, inDelivery, parked, oldestReceivedAtMs } of lanesNow) {
      backlog.set({ lane, state: 'waiting' }, waiting)
      backlog.set({ lane, state: 'in_delivery' }, inDelivery)
      backlog.set({ lane, state: 'parked' }, parked)
      oldest.set({ lane }, oldestReceivedAtMs === undefined ? 0 : Math.max(0, clock() - oldestReceivedAtMs) / 1000)
    }
  }
}
