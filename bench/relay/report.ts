import type { Chart, Ratio, Report, Table } from '../contract.ts'
import { figure } from '../harness/format.ts'
import { median, ratioOf, spreadOf } from '../harness/stats.ts'
import { type Cell, MAIN } from './bench.ts'
import type { LoadResult } from './contract.ts'
import type { Forwarded } from './forward.ts'
import { SERVERS, type ServerName } from './servers.ts'

export interface CellResult {
  readonly cell: Cell
  readonly runs: Readonly<Record<ServerName, readonly LoadResult[]>>
}

export type Memory = Readonly<Record<ServerName, { readonly nowBytes: number; readonly peakBytes: number } | undefined>>

export interface RelayResults {
  readonly cells: readonly CellResult[]
  /** The main cell's load at half of its peak. */
  readonly half: LoadResult | undefined
  readonly memory: Memory
  readonly forwarded: Forwarded
}

const MIN_OF_COMMIT_FLOOR = 0.6
const MAX_P99_MS = 50
const MIB = 2 ** 20

const perSecond = ({ events, elapsedMs }: LoadResult): number => (events / elapsedMs) * 1_000
const nameOf = ({ batchEvents, connections }: Cell): string => `${batchEvents} a batch, ${connections} connections`

function ratiosOf({ cell, runs }: CellResult): Ratio[] {
  const isMain = cell.batchEvents === MAIN.batchEvents && cell.connections === MAIN.connections
  const over = (floor: ServerName) => ratioOf(runs.relay.map(perSecond), runs[floor].map(perSecond))
  const commit: Ratio = {
    name: `${nameOf(cell)}: events/s over the commit floor’s`,
    value: over('commit floor'),
    ...(isMain && { atLeast: MIN_OF_COMMIT_FLOOR }),
  }
  return isMain ? [commit, { name: `${nameOf(cell)}: over the parse floor’s`, value: over('parse floor') }] : [commit]
}

function loadTable(cells: readonly CellResult[]): Table {
  const rows = cells.flatMap(({ cell, runs }) =>
    SERVERS.map((server) => {
      const of = (what: (result: LoadResult) => number) => median(runs[server].map(what))
      return [`${nameOf(cell)}, ${server}`, of(perSecond), of(({ p50Ms }) => p50Ms), of(({ p99Ms }) => p99Ms)]
    }),
  )
  return { title: 'Durable acknowledgements, medians', columns: ['case', 'events/s', 'p50 ms', 'p99 ms'], rows }
}

function memoryTable(memory: Memory): Table {
  const rows = SERVERS.map((name) => {
    const seen = memory[name]
    return [name, seen ? seen.nowBytes / MIB : '–', seen ? seen.peakBytes / MIB : '–']
  })
  return { title: 'Memory after all of it, MiB', columns: ['process', 'now', 'most'], rows }
}

function chartsOf(cells: readonly CellResult[]): Chart[] {
  const main = cells.find(({ cell }) => cell.batchEvents === MAIN.batchEvents && cell.connections === MAIN.connections)
  if (!main) return []
  const bars = SERVERS.map((server) => ({
    label: server === 'relay' ? 'metertap’s relay' : server,
    value: median(main.runs[server].map(perSecond)),
    highlight: server === 'relay',
  }))
  const title = `Durably acknowledged, ${nameOf(main.cell)}; more is better`
  return [{ name: 'relay', title, unit: 'events/s', bars }]
}

export function relayReport({ cells, half, memory, forwarded }: RelayResults): Report {
  const p99: Ratio[] = half
    ? [{ name: 'p99 at half of the peak, ms', value: spreadOf([half.p99Ms]), atMost: MAX_P99_MS }]
    : []
  const { events, calls } = forwarded
  return {
    ratios: [...cells.flatMap(ratiosOf), ...p99],
    tables: [loadTable(cells), memoryTable(memory)],
    charts: chartsOf(cells),
    notes: [
      ...(half ? [`At half of the peak: ${figure(perSecond(half))} events/s, p50 ${figure(half.p50Ms)} ms.`] : []),
      `Forwarded ${figure(events)} events to the stand-in at ${figure(forwarded.perSecond)} events/s, in ${calls} calls.`,
      'Client and server are processes of their own on the loopback; on two cores they share the machine.',
      'Parse floor: node:http, gunzip, JSON.parse. Commit floor: the same and one synced SQLite commit a batch.',
    ],
  }
}
