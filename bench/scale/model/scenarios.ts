import { CALL_LIMITS } from '../../../src/relay/forward/call-limits.ts'
import { quantile } from '../../harness/stats.ts'
import type { Costs, Load } from './contract.ts'
import { costOf } from './costs.ts'
import { type Measured, pointOf } from './measured.ts'
import { databaseNeeds, relayNeeds } from './needs.ts'
import type { SimulationOptions, SimulationResult } from './sim-contract.ts'
import { simulate } from './simulate.ts'
import { rowsPerCall } from './upstream.ts'

/** Round trips and a sync; assumed. */
const STORE_MS = 5
/** An answer of the stand-in on the loopback. */
const LOOPBACK_CALL_MS = 20
const OUTAGE_SEEDS = 200
const BEFORE_OUTAGE_S = 600

/** Relays as a load needs them, on PostgreSQL. */
function planned(load: Load, costs: Costs): SimulationOptions {
  const { postgres } = costs
  const { eventsPerS, batchEvents, meters, callMs, tier, coresPerDatabase } = load
  return {
    ...{ seed: 1, durationS: 60, eventsPerS, batchEvents, meters, callMs, storeMs: STORE_MS },
    relays: relayNeeds(load, postgres).processes,
    acceptUsPerRequest: costOf(postgres.acceptUs, batchEvents),
    forwardUsPerRow: postgres.forwardUsPerRow,
    database: {
      cores: coresPerDatabase * databaseNeeds(load, costs).databases,
      usPerRequest: costOf(postgres.databaseUs, batchEvents),
      usPerRow: postgres.databaseUsPerRow,
    },
    rowsPerCall: rowsPerCall(load),
    calls: CALL_LIMITS[tier].calls,
  }
}

/** Ten minutes as usual, the outage, and as long again for what waited to go. */
export function simulateOutage(load: Load, costs: Costs): SimulationResult {
  const untilS = BEFORE_OUTAGE_S + load.outageS
  return simulate({
    ...planned(load, costs),
    durationS: untilS + load.outageS,
    outage: { fromS: BEFORE_OUTAGE_S, untilS },
    sampleS: BEFORE_OUTAGE_S / 2,
  })
}

/** How long a request waits at one process, by how much of its core is in use. */
export function simulateUse(load: Load, costs: Costs, use: number): SimulationResult {
  const one = relayNeeds({ ...load, useOfCore: 1 }, costs.postgres)
  const eventsPerS = (use * load.eventsPerS) / (one.acceptCores + one.forwardCores)
  return simulate({ ...planned(load, costs), relays: 1, eventsPerS, durationS: 120 })
}

/** The same while what waited through the outage goes, at all processes of the plan. */
export function simulateDrain(load: Load, costs: Costs): SimulationResult {
  const waitingEvents = load.eventsPerS * load.outageS
  return simulate({ ...planned(load, costs), durationS: 30, waitingEvents })
}

/** A measured point beside what the simulation makes of it. */
export interface Reproduction {
  readonly what: string
  readonly measured: number
  readonly simulated: number
  /** What luck alone does to it: between the 1st and the 99th of 100 runs. */
  readonly from?: number
  readonly to?: number
}

export function reproduce(measured: Measured): Reproduction[] {
  return [
    drain(measured, 'SQLite', 'sqlite.forward', LOOPBACK_CALL_MS),
    drain(measured, 'PostgreSQL', 'postgres.forward', LOOPBACK_CALL_MS),
    drain(measured, 'SQLite, calls of 1,000 ms', 'sqlite.forward.call1000', 1_000 + LOOPBACK_CALL_MS),
    ...outage(measured),
  ]
}

function onePoint(measured: Measured, forwardUsPerRow: number): SimulationOptions {
  return {
    ...{ seed: 1, durationS: 300, eventsPerS: 0, batchEvents: 500, relays: 1, meters: 1, storeMs: STORE_MS },
    acceptUsPerRequest: pointOf(measured, 'sqlite.accept.batch500.relayCpuUs'),
    ...{ forwardUsPerRow, rowsPerCall: 10_000, callMs: LOOPBACK_CALL_MS, calls: CALL_LIMITS.production.calls },
  }
}

function drain(measured: Measured, store: string, name: string, callMs: number): Reproduction {
  const waitingEvents = pointOf(measured, `${name}.events`)
  const base = onePoint(measured, pointOf(measured, `${name}.relayCpuUs`))
  const simulated = simulate({ ...base, callMs, waitingEvents }).emptyAtS ?? Number.NaN
  const what = `seconds to forward ${waitingEvents.toLocaleString('en')} events, ${store}`
  return { what, measured: pointOf(measured, `${name}.seconds`), simulated }
}

function outage(measured: Measured): Reproduction[] {
  const of = (name: string): number => pointOf(measured, `sqlite.outage.${name}`)
  const [eventsPerS, outageS] = [of('eventsPerS'), of('outageS')]
  const base = onePoint(measured, pointOf(measured, 'sqlite.forward.relayCpuUs'))
  const runs = Array.from({ length: OUTAGE_SEEDS }, (_, nth) => {
    const { mostWaiting, samples } = simulate({
      ...{ ...base, seed: nth + 1, eventsPerS, batchEvents: 100, durationS: 150, arrivalsUntilS: 24, sampleS: 0.1 },
      outage: { fromS: 4, untilS: 4 + outageS },
    })
    const gone = samples.find(({ atS, waitingEvents }) => atS > 4 + outageS && waitingEvents < eventsPerS)
    return { mostWaiting, goneAfterS: (gone?.atS ?? 150) - 4 - outageS }
  })
  const beside = (what: string, value: number, list: readonly number[]): Reproduction => ({
    ...{ what, measured: value, simulated: quantile(list, 0.5) },
    ...{ from: quantile(list, 0.01), to: quantile(list, 0.99) },
  })
  const title = `${eventsPerS.toLocaleString('en')} events/s, upstream away for ${outageS} s`
  return [
    beside(
      `${title}: most that waits`,
      of('mostWaiting'),
      runs.map((run) => run.mostWaiting),
    ),
    beside(
      `${title}: seconds until it is gone`,
      of('goneAfterS'),
      runs.map((run) => run.goneAfterS),
    ),
  ]
}
