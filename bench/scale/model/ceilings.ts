import type { Ceiling, Costs, Load } from './contract.ts'
import { databaseNeeds, EDGE_LIMITS, edgeNeeds, relayNeeds } from './needs.ts'
import { allowancesOf, rowsPerCall, upstreamNeeds } from './upstream.ts'

/** Defaults of the relay's configuration that a large load meets; a test compares them. */
export const ACCOUNT_REQUESTS_PER_MINUTE = 6_000
export const TENANT_REQUESTS_PER_MINUTE = 60_000
export const MAX_BACKLOG_EVENTS = 50_000_000
const CALLS_IN_FLIGHT = 8
const CALLS_OF_A_SLICE = 4

/** Everything that has an end, the nearest first, with this load's batches, rows and planned use. */
export function ceilingsOf(load: Load, costs: Costs): Ceiling[] {
  const { batchEvents, useOfCore } = load
  const perCore = ({ acceptCores, forwardCores }: { acceptCores: number; forwardCores: number }): number =>
    (load.eventsPerS / (acceptCores + forwardCores)) * useOfCore
  const { cores, walBytesPerS, imageBytesPerS } = databaseNeeds(load, costs)
  const edge = edgeNeeds(load, costs)
  const upstream = upstreamNeeds(load)
  const ceilings: Ceiling[] = [
    {
      what: 'requests of one account, default limit of a relay process',
      eventsPerS: (ACCOUNT_REQUESTS_PER_MINUTE / 60) * batchEvents,
      thenDo: 'larger batches; raise limits.accountPerMinute',
    },
    {
      what: 'one relay on SQLite',
      eventsPerS: perCore(relayNeeds(load, costs.sqlite)),
      thenDo: 'PostgreSQL and several relays: one line of configuration and `metertap relay copy`',
    },
    {
      what: 'one relay process on PostgreSQL',
      eventsPerS: perCore(relayNeeds(load, costs.postgres)),
      thenDo: '`relay --workers N`, then more machines',
    },
    {
      what: 'one shard at the edge, and so one account there',
      eventsPerS: edge.eventsPerSOfShard * useOfCore,
      thenDo: 'more shards, before the first request; an account of that size by itself on PostgreSQL',
    },
    {
      what: 'requests of the tenant, default limit of a relay process',
      eventsPerS: (TENANT_REQUESTS_PER_MINUTE / 60) * batchEvents,
      thenDo: 'raise limits.tenantPerMinute with the number of processes',
    },
    {
      what: `the backlog's default limit over an outage of ${load.outageS} s`,
      eventsPerS: load.outageS > 0 ? MAX_BACKLOG_EVENTS / load.outageS : Number.POSITIVE_INFINITY,
      thenDo:
        'raise limits.maxBacklogEvents to what the disk holds; until then agents are told to wait, and keep their events',
    },
    {
      what: 'calls under way of one meter in one process',
      eventsPerS:
        load.callMs > 0 ? (CALLS_IN_FLIGHT * 1_000 * upstream.rowsPerFullCall) / load.callMs : Number.POSITIVE_INFINITY,
      thenDo: 'upstream.maxCallsInFlight, up to 64; every process has its own',
    },
    {
      what: `one database of ${load.coresPerDatabase} cores, its processor`,
      eventsPerS: (load.eventsPerS / cores) * load.coresPerDatabase * useOfCore,
      thenDo: 'larger batches; then groups: accounts divided over databases',
    },
    {
      what: 'one database, its log',
      eventsPerS: (load.eventsPerS / (walBytesPerS + imageBytesPerS)) * load.walBytesPerSPerDatabase,
      thenDo: 'wal_compression, rarer checkpoints, keys for fewer events, a faster disk; then groups',
    },
    {
      what: `one Worker of ${EDGE_LIMITS.shardsOfOneWorker} shards`,
      eventsPerS: edge.eventsPerSOfShard * EDGE_LIMITS.shardsOfOneWorker * useOfCore,
      thenDo: 'several Workers with accounts divided among them; each counts on the tenant’s whole limit of calls',
    },
    {
      what: 'the gate that all shards ask for calls',
      eventsPerS: EDGE_LIMITS.requestsPerSOfObject * CALLS_OF_A_SLICE * upstream.rowsPerFullCall,
      thenDo: 'nothing: the upstream ends first',
    },
    ...allowancesOf(load.tier).map(({ span, usedCallsPerS }) => ({
      what: `Zuora's calls by the ${span}, the part that the relay uses`,
      eventsPerS: usedCallsPerS * rowsPerCall(load),
      thenDo: 'roll-ups in the agent (one event for many); then ask Zuora for a higher limit',
    })),
  ]
  return ceilings.toSorted((a, b) => a.eventsPerS - b.eventsPerS)
}
