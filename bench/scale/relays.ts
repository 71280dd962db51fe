import { availableParallelism } from 'node:os'
import type { TestPostgres } from '../../test/support/postgres.ts'
import type { Table } from '../contract.ts'
import { interleave } from '../harness/rounds.ts'
import { median } from '../harness/stats.ts'
import type { LoadResult } from '../relay/contract.ts'
import { fetchTokens, type Running, type Servers } from '../relay/servers.ts'
import { cpuSecondsOf } from './cpu.ts'

/** What `figures/regions.ts` finds the table by. */
export const RELAYS_TITLE = 'Durable acknowledgements in one PostgreSQL'

const SIZES = ['1', '2', '4'] as const
const CONNECTIONS = 16
const BATCH_EVENTS = 500

interface RelaysRun {
  readonly perSecond: number
  readonly p50Ms: number
  readonly p99Ms: number
  /** CPU seconds by second of the run. */
  readonly relayCpus: number
  readonly databaseCpus: number
  readonly eventsPerCoreSecond: number
}

/** One load on one, two and four relays of one database; what is measured is durable acknowledgements. */
export async function measureRelays(
  servers: Servers,
  database: TestPostgres,
  { batches, rounds }: { readonly batches: number; readonly rounds: number },
): Promise<Table> {
  const relays: Running[] = []
  for (let n = 0; n < Number(SIZES.at(-1)); n++) relays.push(await servers.startRelay(database.url))
  const tokens = await fetchTokens(relays[0]?.url as string, CONNECTIONS)
  const postmaster = await pidOf(database)
  const runs = await interleave(SIZES, { rounds, warmUps: 1 }, async (size) => {
    const some = relays.slice(0, Number(size))
    const pids = some.map(({ pid }) => pid)
    const [relayS, databaseS] = [cpuSecondsOf(pids), cpuSecondsOf([postmaster])]
    const results = await Promise.all(
      some.map(({ url }, nth) =>
        servers.load({
          ...{ url, batches: batches / some.length, batchEvents: BATCH_EVENTS },
          tokens: tokens.filter((_, index) => index % some.length === nth),
        }),
      ),
    )
    return runOf(results, cpuSecondsOf(pids) - relayS, cpuSecondsOf([postmaster]) - databaseS)
  })
  return tableOf(runs)
}

function runOf(results: readonly LoadResult[], relayCpuS: number, databaseCpuS: number): RelaysRun {
  const failed = results.find(({ failures }) => failures > 0)
  if (failed) throw new Error(`${failed.failures} requests failed, the first with ${failed.firstFailure}`)
  const events = results.reduce((sum, result) => sum + result.events, 0)
  const elapsedS = Math.max(...results.map(({ elapsedMs }) => elapsedMs)) / 1_000
  return {
    perSecond: events / elapsedS,
    p50Ms: median(results.map(({ p50Ms }) => p50Ms)),
    p99Ms: Math.max(...results.map(({ p99Ms }) => p99Ms)),
    relayCpus: relayCpuS / elapsedS,
    databaseCpus: databaseCpuS / elapsedS,
    eventsPerCoreSecond: events / (relayCpuS + databaseCpuS),
  }
}

function tableOf(runs: Readonly<Record<string, readonly RelaysRun[]>>): Table {
  const rows = Object.entries(runs).map(([size, list]) => {
    const of = (what: (run: RelaysRun) => number): number => median(list.map(what))
    return [
      `${size} relay${size === '1' ? '' : 's'}`,
      of(({ perSecond }) => perSecond),
      of(({ p50Ms }) => p50Ms),
      of(({ p99Ms }) => p99Ms),
      of(({ relayCpus }) => relayCpus),
      of(({ databaseCpus }) => databaseCpus),
      of(({ eventsPerCoreSecond }) => eventsPerCoreSecond),
    ]
  })
  return {
    title: `${RELAYS_TITLE}, ${BATCH_EVENTS} events a batch, ${CONNECTIONS} connections, ${availableParallelism()} cores`,
    columns: ['', 'events/s', 'p50 ms', 'p99 ms', 'cores: relays', 'cores: database', 'events per core second'],
    rows,
  }
}

async function pidOf(database: TestPostgres): Promise<number> {
  const [row] = await database.query<{ text: string }>("SELECT pg_read_file('postmaster.pid') AS text")
  return Number(row?.text.split('\n')[0])
}
