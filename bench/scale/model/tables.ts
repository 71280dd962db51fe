import { CALL_LIMITS } from '../../../src/relay/forward/call-limits.ts'
import type { Table } from '../../contract.ts'
import { figure } from '../../harness/format.ts'
import { ceilingsOf } from './ceilings.ts'
import type { Costs, Line, Load } from './contract.ts'
import { costOf, costsOf, HELD_OUT, lineOf } from './costs.ts'
import { type Measured, pointOf } from './measured.ts'
import { needRows } from './need-rows.ts'
import { reproduce, simulateDrain, simulateOutage, simulateUse } from './scenarios.ts'
import { allowancesOf, rowsPerCall } from './upstream.ts'

/** A table, and the name under which docs/scale.md has it. */
export interface NamedTable extends Table {
  readonly name: string
}

const OTHER_LOADS = [10_000, 100_000]
const OTHER_BATCHES = [10, 50, 5_000]
const BATCHES = [10, 50, 500, 5_000]
const STORES = { sqlite: 'SQLite', postgres: 'PostgreSQL' }
const USES = [0.3, 0.6, 0.8, 0.9]

/** Everything that the model says about a load. */
export function tablesOf(load: Load, measured: Measured): NamedTable[] {
  const costs = costsOf(measured)
  return [
    partsTable(measured),
    measuredTable(measured),
    throughputTable(measured),
    linesTable(measured, costs),
    reproducedTable(measured),
    byLoadTable(load, costs),
    byBatchTable(load, costs),
    zuoraTable(load),
    ceilingsTable(load, costs),
    outageTable(load, costs),
    usesTable(load, costs),
  ]
}

function partsTable(measured: Measured): NamedTable {
  const rows = Object.entries(measured).map(([part, { date, load, isPreliminary, machine, command }]) => [
    part,
    `\`${command}\``,
    `${date}, load ${load}${isPreliminary ? ': preliminary' : ''}`,
    machine,
  ])
  return { name: 'parts', title: 'Where the points come from', columns: ['part', 'command', 'when', 'machine'], rows }
}

function measuredTable(measured: Measured): NamedTable {
  const rows = Object.entries(measured).flatMap(([part, { points }]) =>
    Object.entries(points).map(([name, value]) => [name, value, part]),
  )
  return { name: 'measured', title: 'Measured points', columns: ['point', 'value', 'part'], rows }
}

/** What was acknowledged a second, and how much of a core the relay had for it. */
function throughputTable(measured: Measured): NamedTable {
  const rows = (['sqlite', 'postgres'] as const).flatMap((store) =>
    BATCHES.map((size) => {
      const perS = pointOf(measured, `${store}.accept.batch${size}.eventsPerS`)
      const ofCore = (size * 1e6) / pointOf(measured, `${store}.accept.batch${size}.relayCpuUs`)
      const both = `${store}.accept.batch${size}`
      const databaseUs = store === 'postgres' ? pointOf(measured, `${both}.databaseCpuUs`) : 0
      const together = (size * 1e6) / (pointOf(measured, `${both}.relayCpuUs`) + databaseUs)
      const name = `${STORES[store]}, ${size.toLocaleString('en')} a batch`
      return [name, perS, percent(perS / ofCore), ofCore, together]
    }),
  )
  return {
    name: 'throughput',
    title: 'One relay, 8 connections: what it acknowledged, and what a whole core would',
    columns: ['', 'events/s', 'of a core', 'events of a core second', 'the same with the database'],
    rows,
  }
}

/** Each cost as a line, and how far off it is for a batch that it was not drawn through. */
function linesTable(measured: Measured, { sqlite, postgres, edge }: Costs): NamedTable {
  const [size] = HELD_OUT
  const row = (what: string, line: Line, name?: string) => {
    const seen = name === undefined ? undefined : pointOf(measured, name.replace('*', `batch${size}`))
    const off = seen === undefined ? '–' : percent(costOf(line, size) / seen - 1)
    return [what, line.perRequest, line.perEvent, seen ?? '–', costOf(line, size), off]
  }
  return {
    name: 'lines',
    title: `What a request costs, and a check with ${size} events`,
    columns: [
      'cost',
      'of a request',
      'of each event',
      `${size} events, measured`,
      `${size} events, by the line`,
      'off by',
    ],
    rows: [
      row('relay on SQLite, µs', sqlite.acceptUs, 'sqlite.accept.*.relayCpuUs'),
      row('relay on PostgreSQL, µs', postgres.acceptUs, 'postgres.accept.*.relayCpuUs'),
      row('PostgreSQL, µs', postgres.databaseUs, 'postgres.accept.*.databaseCpuUs'),
      row('PostgreSQL, bytes of log', lineOf(measured, 'postgres', 'walBytes'), 'postgres.accept.*.walBytes'),
      row('one shard in workerd, µs', edge.acceptUs),
    ],
  }
}

function reproducedTable(measured: Measured): NamedTable {
  const rows = reproduce(measured).map(({ what, measured: seen, simulated, from, to }) => {
    const band = from === undefined || to === undefined ? '–' : `${figure(from)}–${figure(to)}`
    return [what, seen, simulated, band]
  })
  const columns = ['', 'measured', 'simulated', '1–99 of 100 runs']
  return { name: 'reproduced', title: 'Measured points, simulated', columns, rows }
}

function byLoadTable(load: Load, costs: Costs): NamedTable {
  const loads = [...OTHER_LOADS.filter((eventsPerS) => eventsPerS < load.eventsPerS), load.eventsPerS].map(
    (eventsPerS) => {
      const share = eventsPerS / load.eventsPerS
      return { ...load, eventsPerS, streamsPerDay: load.streamsPerDay * share, accounts: load.accounts * share }
    },
  )
  return {
    name: 'by-load',
    title: `What it needs, ${load.batchEvents} events a batch`,
    columns: ['events/s', ...loads.map(({ eventsPerS }) => eventsPerS.toLocaleString('en'))],
    rows: needRows(loads, costs),
  }
}

function byBatchTable(load: Load, costs: Costs): NamedTable {
  const sizes = [...new Set([...OTHER_BATCHES, load.batchEvents])].toSorted((a, b) => a - b)
  const loads = sizes.map((batchEvents) => ({ ...load, batchEvents }))
  return {
    name: 'by-batch',
    title: `What the size of the batches does, at ${load.eventsPerS.toLocaleString('en')} events/s`,
    columns: ['events in a batch', ...sizes.map((size) => size.toLocaleString('en'))],
    rows: needRows(loads, costs, [
      'requests/s',
      'relay processes',
      'PostgreSQL: cores',
      'PostgreSQL: log, MB/s',
      'databases',
      'edge: shards, for speed',
    ]),
  }
}

function zuoraTable({ rowBytes }: Load): NamedTable {
  const tiers = Object.keys(CALL_LIMITS) as (keyof typeof CALL_LIMITS)[]
  const rows = tiers.flatMap((tier) =>
    allowancesOf(tier).map(({ span, calls, callsPerS, usedCallsPerS }) => {
      const each = rowsPerCall({ tier, rowBytes })
      return [`${tier}, by the ${span}`, calls, each, callsPerS * each, usedCallsPerS, usedCallsPerS * each]
    }),
  )
  return {
    name: 'zuora',
    title: `Zuora's limits as rows a second, rows of ${rowBytes} bytes`,
    columns: [
      'limit',
      'calls',
      'rows in a call',
      'rows/s, all of it',
      'calls/s that the relay uses',
      'rows/s of those',
    ],
    rows,
  }
}

function ceilingsTable(load: Load, costs: Costs): NamedTable {
  const rows = ceilingsOf(load, costs).map(({ what, eventsPerS, thenDo }) => [
    what,
    eventsPerS,
    `×${figure(eventsPerS / load.eventsPerS)}`,
    thenDo,
  ])
  const columns = ['what', 'events/s', 'of this load', 'then']
  return { name: 'ceilings', title: 'What ends where, the nearest first', columns, rows }
}

function outageTable(load: Load, costs: Costs): NamedTable {
  const { samples } = simulateOutage(load, costs)
  const rows = samples.map(({ atS, waitingEvents, oldestS, forwardedPerS, callsPerS, failedCallsPerS }) => [
    `${Math.round(atS / 60)} min`,
    ...[waitingEvents, oldestS, forwardedPerS, callsPerS, failedCallsPerS],
  ])
  const columns = ['after', 'events waiting', 'oldest waits, s', 'forwarded/s', 'calls/s', 'of them failed']
  return { name: 'outage', title: `Upstream away for ${load.outageS} s from minute 10 on, simulated`, columns, rows }
}

function usesTable(load: Load, costs: Costs): NamedTable {
  const rows: (string | number)[][] = USES.map((use) => {
    const { accept, received } = simulateUse(load, costs, use)
    return [`${use * 100} %`, received / 120, accept?.p50Ms ?? '–', accept?.p99Ms ?? '–']
  })
  const { accept, received } = simulateDrain(load, costs)
  const waited = load.eventsPerS * load.outageS
  const name = 'all of them, while what waited goes'
  rows.push([name, (received - waited) / 30, accept?.p50Ms ?? '–', accept?.p99Ms ?? '–'])
  const columns = ['core in use', 'events/s', 'p50 ms', 'p99 ms']
  return { name: 'uses', title: 'A request at one relay process that forwards as well, simulated', columns, rows }
}

function percent(share: number): string {
  return `${Math.round(share * 100)} %`
}
