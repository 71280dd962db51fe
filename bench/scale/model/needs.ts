import type { Costs, Load } from './contract.ts'
import { tightestOf } from './upstream.ts'

const DAY_S = 86_400
const HOURS = 24
/** Rows of the hourly ledger of one account and meter: by the database session that wrote. */
const HOUR_SHARDS = 8
const HOUR_ROW_BYTES = 150
const PAGE_BYTES = 8_192
/** The event of the benches: its time and its data in a stored chunk. */
export const MEASURED_EVENT_BYTES = 134
/** Requests a minute that one relay process takes of one tenant, unless configured otherwise. */
const TENANT_REQUESTS_PER_MINUTE = 60_000

export interface RelayNeeds {
  readonly requestsPerS: number
  readonly acceptCores: number
  readonly forwardCores: number
  /** Processes of one core each, at the planned use. */
  readonly processes: number
  /** What the default limit of requests a minute and tenant would ask for. */
  readonly processesByDefaultLimit: number
}

export interface DatabaseNeeds {
  readonly cores: number
  /** Without page images. */
  readonly walBytesPerS: number
  /**
   * What images of whole pages may add after each checkpoint, at most: one for each new stream and each key, since
   * their places in an index are scattered. Streams that go on lie together, and so do chunks.
   */
  readonly imageBytesPerS: number
  readonly walBytesPerDay: number
  /** Of accepting; each is a sync of the log at most, and several may share one. */
  readonly transactionsPerS: number
  /** Pages of tables and indexes, at most: chunks come and go, what is scattered touches a page each. */
  readonly pageWritesPerS: number
  /** What a day's part of the table of chunks takes in; most of it leaves again. */
  readonly chunkBytesPerDay: number
  readonly databases: number
  /** Stored while the upstream is away. */
  readonly waitingBytes: number
  readonly streamRows: number
  readonly streamBytes: number
  readonly keyBytesPerDay: number
  readonly keyBytes: number
  readonly hourBytesPerDay: number
}

/** Larger events cost more in proportion where they cost by the event: assumed, not measured. */
function sizeFactor({ eventBytes }: Load): number {
  return eventBytes / MEASURED_EVENT_BYTES
}

export function relayNeeds(load: Load, store: Costs['sqlite'] | Costs['postgres']): RelayNeeds {
  const { eventsPerS, batchEvents, useOfCore } = load
  const requestsPerS = eventsPerS / batchEvents
  const acceptUs = store.acceptUs.perRequest + store.acceptUs.perEvent * batchEvents * sizeFactor(load)
  const acceptCores = (requestsPerS * acceptUs) / 1e6
  const forwardCores = (eventsPerS * store.forwardUsPerRow * sizeFactor(load)) / 1e6
  return {
    requestsPerS,
    acceptCores,
    forwardCores,
    processes: Math.ceil((acceptCores + forwardCores) / useOfCore),
    processesByDefaultLimit: Math.ceil((requestsPerS * 60) / TENANT_REQUESTS_PER_MINUTE),
  }
}

export function databaseNeeds(load: Load, { postgres }: Costs): DatabaseNeeds {
  const { eventsPerS, batchEvents, streamsPerDay, keyShare, keyWindowDays, outageS, keepYears } = load
  const requestsPerS = eventsPerS / batchEvents
  const size = sizeFactor(load)
  const databaseUs = postgres.databaseUs.perRequest + postgres.databaseUs.perEvent * batchEvents * size
  const cores = (requestsPerS * databaseUs + eventsPerS * postgres.databaseUsPerRow * size) / 1e6
  const chunkBytes = postgres.walBytes.perRequest + postgres.walBytes.perEvent * batchEvents * size
  const keysPerS = eventsPerS * keyShare
  const streamsPerS = streamsPerDay / DAY_S
  const walBytesPerS =
    requestsPerS * chunkBytes +
    eventsPerS * postgres.walBytesPerRow * size +
    streamsPerS * postgres.streamWalBytes +
    keysPerS * postgres.keyWalBytes
  const byCores = cores / (load.coresPerDatabase * load.useOfCore)
  const imageBytesPerS = (streamsPerS + keysPerS) * PAGE_BYTES
  const byWal = (walBytesPerS + imageBytesPerS) / load.walBytesPerSPerDatabase
  const hourRowsPerDay = load.accounts * load.meters * HOURS * HOUR_SHARDS
  const keyBytesPerDay = keysPerS * DAY_S * postgres.keyBytes
  const streamRows = streamsPerDay * 365 * keepYears
  return {
    cores,
    walBytesPerS,
    imageBytesPerS,
    walBytesPerDay: (walBytesPerS + imageBytesPerS) * DAY_S,
    transactionsPerS: requestsPerS * postgres.transactionsPerRequest,
    pageWritesPerS: (2 * requestsPerS * chunkBytes) / PAGE_BYTES + streamsPerS + keysPerS,
    chunkBytesPerDay: requestsPerS * chunkBytes * DAY_S,
    databases: Math.max(1, Math.ceil(Math.max(byCores, byWal))),
    waitingBytes: requestsPerS * outageS * chunkBytes,
    streamRows,
    streamBytes: streamRows * postgres.streamBytes,
    keyBytesPerDay,
    keyBytes: keyBytesPerDay * keyWindowDays,
    hourBytesPerDay: hourRowsPerDay * HOUR_ROW_BYTES,
  }
}

/** As the platform documents them for SQLite Durable Objects; not measured here. */
export const EDGE_LIMITS = { shardsOfOneWorker: 128, requestsPerSOfObject: 1_000, bytesOfObject: 10e9 }

export interface EdgeNeeds {
  readonly eventsPerSOfShard: number
  /** Shards that are fast enough, at the planned use. */
  readonly shardsBySpeed: number
  /** Shards that hold the streams which are kept for good, and what waits through the outage. */
  readonly shardsByRoom: number
  /** Workers, each with its own objects: one has no more than `shardsOfOneWorker`. */
  readonly workers: number
  /** Until the streams kept for good fill the shards that speed alone asks for. */
  readonly daysUntilFull: number
  /** To the Worker, and as many from there to shards. */
  readonly requestsPerMonth: number
  /** Upstream calls if every shard sends on its own as soon as it may; more than the budget only makes them wait. */
  readonly callsPerS: number
  /** How long each shard gathers for a call when the budget is shared out evenly. */
  readonly gatherS: number
}

/** A chunk's line of one event has a few marks around it. */
const EDGE_MARKS_BYTES = 4

export function edgeNeeds(load: Load, { edge }: Costs, lingerMs = 1_000): EdgeNeeds {
  const { eventsPerS, batchEvents, useOfCore, streamsPerDay, outageS, eventBytes, meters, callMs, keepYears } = load
  const us = edge.acceptUs.perRequest + edge.acceptUs.perEvent * batchEvents * sizeFactor(load)
  const eventsPerSOfShard = Math.min(EDGE_LIMITS.requestsPerSOfObject, 1e6 / us) * batchEvents
  const shardsBySpeed = Math.ceil(eventsPerS / (eventsPerSOfShard * useOfCore))
  const streamBytesPerDay = streamsPerDay * edge.streamBytes
  const waitingBytes = eventsPerS * outageS * (eventBytes + EDGE_MARKS_BYTES)
  const shardsByRoom = Math.ceil((streamBytesPerDay * 365 * keepYears + waitingBytes) / EDGE_LIMITS.bytesOfObject)
  const shards = Math.max(shardsBySpeed, shardsByRoom)
  return {
    ...{ eventsPerSOfShard, shardsBySpeed, shardsByRoom },
    workers: Math.ceil(shards / EDGE_LIMITS.shardsOfOneWorker),
    daysUntilFull: (shardsBySpeed * EDGE_LIMITS.bytesOfObject) / streamBytesPerDay,
    requestsPerMonth: (eventsPerS / batchEvents) * DAY_S * 30,
    callsPerS: (shards * meters * 1_000) / (lingerMs + callMs),
    gatherS: Math.max((lingerMs + callMs) / 1_000, (shards * meters) / tightestOf(load.tier).usedCallsPerS),
  }
}
