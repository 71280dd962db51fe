import type { Costs, Load } from './contract.ts'
import { databaseNeeds, edgeNeeds, relayNeeds } from './needs.ts'
import { upstreamNeeds } from './upstream.ts'

type Row = readonly [what: string, of: (load: Load, costs: Costs) => number]

const GB = 1e9
const ROWS: readonly Row[] = [
  ['requests/s', (load, { postgres }) => relayNeeds(load, postgres).requestsPerS],
  ['relay cores: accept', (load, { postgres }) => relayNeeds(load, postgres).acceptCores],
  ['relay cores: forward', (load, { postgres }) => relayNeeds(load, postgres).forwardCores],
  ['relay processes', (load, { postgres }) => relayNeeds(load, postgres).processes],
  ['PostgreSQL: cores', (load, costs) => databaseNeeds(load, costs).cores],
  ['PostgreSQL: pages written/s at most', (load, costs) => databaseNeeds(load, costs).pageWritesPerS],
  [
    'PostgreSQL: transactions that accept/s, each a sync at most',
    (load, costs) => databaseNeeds(load, costs).transactionsPerS,
  ],
  ['PostgreSQL: log, MB/s', (load, costs) => databaseNeeds(load, costs).walBytesPerS / 1e6],
  ['PostgreSQL: page images at most, MB/s', (load, costs) => databaseNeeds(load, costs).imageBytesPerS / 1e6],
  ['PostgreSQL: log, GB a day', (load, costs) => databaseNeeds(load, costs).walBytesPerDay / GB],
  ['databases', (load, costs) => databaseNeeds(load, costs).databases],
  ['what waits through the outage, GB', (load, costs) => databaseNeeds(load, costs).waitingBytes / GB],
  ['streams kept: rows, millions', (load, costs) => databaseNeeds(load, costs).streamRows / 1e6],
  ['streams kept: GB', (load, costs) => databaseNeeds(load, costs).streamBytes / GB],
  ['a day of chunks: GB that pass through', (load, costs) => databaseNeeds(load, costs).chunkBytesPerDay / GB],
  ['a day of idempotency keys, GB', (load, costs) => databaseNeeds(load, costs).keyBytesPerDay / GB],
  ['idempotency keys of all days, GB', (load, costs) => databaseNeeds(load, costs).keyBytes / GB],
  ['a day of the hourly ledger at most, GB', (load, costs) => databaseNeeds(load, costs).hourBytesPerDay / GB],
  ['upstream: fewest calls/s', (load) => upstreamNeeds(load).leastCallsPerS],
  ['upstream: fewest calls a day, millions', (load) => upstreamNeeds(load).leastCallsPerDay / 1e6],
  ['upstream: rows that a call must hold, on average', (load) => upstreamNeeds(load).leastRowsPerCall],
  ['upstream: calls under way', (load) => upstreamNeeds(load).callsInFlight],
  ['upstream: minutes until what waited is gone', (load) => upstreamNeeds(load).drainS / 60],
  ['edge: shards, for speed', (load, costs) => edgeNeeds(load, costs).shardsBySpeed],
  ['edge: shards, for room', (load, costs) => edgeNeeds(load, costs).shardsByRoom],
  ['edge: Workers', (load, costs) => edgeNeeds(load, costs).workers],
  ['edge: days until shards for speed are full of streams', (load, costs) => edgeNeeds(load, costs).daysUntilFull],
  ['edge: requests a month, millions', (load, costs) => edgeNeeds(load, costs).requestsPerMonth / 1e6],
  ['edge: calls/s if each shard sends at once', (load, costs) => edgeNeeds(load, costs).callsPerS],
  ['edge: seconds that a shard gathers for a call', (load, costs) => edgeNeeds(load, costs).gatherS],
]

/** One row for each need, one column for each load. */
export function needRows(loads: readonly Load[], costs: Costs, only?: readonly string[]): (string | number)[][] {
  return ROWS.filter(([what]) => only?.includes(what) ?? true).map(([what, of]) => [
    what,
    ...loads.map((load) => of(load, costs)),
  ])
}
