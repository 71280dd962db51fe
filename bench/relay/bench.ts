import type { Bench, BenchOptions, Report } from '../contract.ts'
import { memoryOf } from '../harness/child.ts'
import { interleave } from '../harness/rounds.ts'
import { median } from '../harness/stats.ts'
import type { LoadResult } from './contract.ts'
import { measureForward } from './forward.ts'
import { type CellResult, type Memory, relayReport } from './report.ts'
import { fetchTokens, openServers, type Running, SERVERS, type ServerName, type Servers } from './servers.ts'

export interface Cell {
  readonly batchEvents: number
  readonly connections: number
  /** Requests in one measurement. */
  readonly batches: number
}

/** The size and the number of connections at which the relay is asked for its latency at half of its peak. */
export const MAIN = { batchEvents: 500, connections: 16 }
const BATCHES: Readonly<Record<number, number>> = { 10: 1_600, 50: 1_200, 500: 320, 5000: 32 }
const CONNECTIONS = [1, 4, 16, 64]
const FORWARDED = { quick: 20_000, full: 200_000 }

function cellsOf({ quick, only }: BenchOptions): Cell[] {
  const connections = quick ? [MAIN.connections] : CONNECTIONS
  return Object.entries(BATCHES)
    .flatMap(([size, batches]) =>
      connections.map((count) => ({
        batchEvents: Number(size),
        connections: count,
        batches: Math.max(quick ? batches / 2 : batches, 2 * count),
      })),
    )
    .filter(({ batchEvents, connections: count }) => `${batchEvents} × ${count}`.includes(only))
}

function checkClean(name: string, { failures, firstFailure }: LoadResult): void {
  if (failures > 0) throw new Error(`${name}: ${failures} requests failed, the first with ${firstFailure}`)
}

type Running3 = Readonly<Record<ServerName, Running>>

async function runCell(servers: Servers, running: Running3, cell: Cell, rounds: number): Promise<CellResult> {
  const { batchEvents, connections, batches } = cell
  const tokens = await fetchTokens(running.relay.url, connections)
  const runs = await interleave(SERVERS, { rounds }, async (name) => {
    const result = await servers.load({ url: running[name].url, tokens, batches, batchEvents })
    checkClean(name, result)
    return result
  })
  return { cell, runs }
}

/** Latency at half of what the relay can do, requests coming when they are due. */
async function atHalfOfPeak(servers: Servers, relay: Running, main: CellResult, quick: boolean): Promise<LoadResult> {
  const peakPerSecond = median(main.runs.relay.map(({ events, elapsedMs }) => (events / elapsedMs) * 1_000))
  const perSecond = peakPerSecond / main.cell.batchEvents / 2
  const tokens = await fetchTokens(relay.url, 64)
  const batches = Math.max(64, Math.round(perSecond * (quick ? 3 : 15)))
  const { batchEvents } = main.cell
  const result = await servers.load({ url: relay.url, tokens, batches, batchEvents, perSecond })
  checkClean('relay at half of its peak', result)
  return result
}

async function startAll(servers: Servers): Promise<Running3> {
  const entries: [ServerName, Running][] = []
  for (const name of SERVERS) entries.push([name, await servers.start(name)])
  return Object.fromEntries(entries) as unknown as Running3
}

async function run(options: BenchOptions): Promise<Report> {
  const { quick, rounds, tell } = options
  const servers = await openServers()
  try {
    const running = await startAll(servers)
    tell('warming up')
    for (const batchEvents of [10, 500])
      await runCell(servers, running, { batchEvents, connections: 4, batches: 100 }, 1)
    const cells: CellResult[] = []
    for (const cell of cellsOf(options)) {
      tell(`${cell.batchEvents} events a batch, ${cell.connections} connections`)
      cells.push(await runCell(servers, running, cell, rounds))
    }
    const main = cells.find(
      ({ cell }) => cell.batchEvents === MAIN.batchEvents && cell.connections === MAIN.connections,
    )
    tell('half of its peak')
    const half = main && (await atHalfOfPeak(servers, running.relay, main, quick))
    const memory = Object.fromEntries(SERVERS.map((name) => [name, memoryOf(running[name].pid)])) as Memory
    tell('forwarding')
    const forwarded = await measureForward(servers, FORWARDED[quick ? 'quick' : 'full'])
    return relayReport({ cells, half, memory, forwarded })
  } finally {
    await servers.close()
  }
}

export const relayBench: Bench = {
  name: 'relay',
  title: 'The relay under load, against parsing and committing alone',
  defaultRounds: { quick: 2, full: 5 },
  run,
}
