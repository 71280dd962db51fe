import type { Sqlite } from '../../../sqlite/contract.ts'
import { type Bookkeeping, createBookkeeping } from './bookkeeping.ts'
import { type Chunks, createChunks } from './chunks.ts'
import { createDeadLetterDesk, type DeadLetterDesk } from './dead-letter-desk.ts'
import { createDeadLetters } from './dead-letters.ts'
import { createDeliveries, type Deliveries } from './deliveries.ts'
import { createGapReader } from './gaps.ts'
import { createHeldChunks, type HeldChunks } from './held-chunks.ts'
import { createHours, type Hours } from './hours.ts'
import { createIdempotencyKeys, type IdempotencyKeys } from './idempotency-keys.ts'
import { createImportFailures } from './import-failures.ts'
import { createLanes, type Lanes } from './lanes.ts'
import { createParked, type Parked } from './parked.ts'
import { createRevocationTable, type RevocationTable } from './revocations.ts'
import { createSmallThings, type SmallThings } from './small-things.ts'
import { createStreams, type Streams } from './streams.ts'
import { createSwapSecret } from './swap-secret.ts'

export interface StoreParts {
  readonly streams: Streams
  readonly hours: Hours
  readonly books: Bookkeeping
  readonly chunks: Chunks
  readonly heldChunks: HeldChunks
  readonly keys: IdempotencyKeys
  readonly deliveries: Deliveries
  readonly parked: Parked
  readonly lanes: Lanes
  readonly desk: DeadLetterDesk
  readonly small: SmallThings
  readonly revocations: RevocationTable
  readonly readGaps: ReturnType<typeof createGapReader>
  readonly buryForwarded: ReturnType<typeof createImportFailures>
  readonly swapSecret: ReturnType<typeof createSwapSecret>
}

interface PartsOptions {
  readonly newId: () => string
  readonly idempotencyWindowDays: number
  readonly hourlyDays: number
  /** Another value whenever tables were made or dropped by somebody else, or unmade by a rollback. */
  readonly schemaVersion: () => unknown
  /** Longest body of a chunk, for engines whose rows have a limit. Default: none. */
  readonly maxChunkChars?: number
}

/** The parts of the store over one open database. */
export function createStoreParts(db: Sqlite, options: PartsOptions): StoreParts {
  const { newId, idempotencyWindowDays, hourlyDays, schemaVersion, maxChunkChars = Number.POSITIVE_INFINITY } = options
  const streams = createStreams(db)
  const hours = createHours(db, hourlyDays)
  const books = createBookkeeping({ streams, hours })
  const chunks = createChunks(db, maxChunkChars)
  const deadLetters = createDeadLetters(db)
  const deliveries = createDeliveries(db, { chunks, books, deadLetters, newId })
  const small = createSmallThings(db)
  return {
    ...{ streams, hours, books, chunks, deliveries, small },
    heldChunks: createHeldChunks(db, { chunks, books, maxChunkChars }),
    keys: createIdempotencyKeys(db, idempotencyWindowDays, schemaVersion),
    parked: createParked(db, { deliveries, chunks }),
    lanes: createLanes(db),
    desk: createDeadLetterDesk(db, { chunks, books }),
    revocations: createRevocationTable(db),
    readGaps: createGapReader(db),
    buryForwarded: createImportFailures(db, { books, deadLetters, small }),
    swapSecret: createSwapSecret(db),
  }
}
