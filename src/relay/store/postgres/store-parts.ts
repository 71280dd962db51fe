import { type Bookkeeping, createBookkeeping } from './bookkeeping.ts'
import { type Chunks, createChunks } from './chunks.ts'
import { createClaims } from './claims.ts'
import type { Database } from './database.ts'
import { createDeadLetterDesk, type DeadLetterDesk } from './dead-letter-desk.ts'
import { createDeadLetters } from './dead-letters.ts'
import { createDeliveries, type Deliveries } from './deliveries.ts'
import { createHeldChunks, type HeldChunks } from './held-chunks.ts'
import { createHours, type Hours } from './hours.ts'
import { createIdempotencyKeys, type IdempotencyKeys } from './idempotency-keys.ts'
import { createImportFailures } from './import-failures.ts'
import { createLanes, type Lanes } from './lanes.ts'
import { createParked, type Parked } from './parked.ts'
import { createRevocationTable, type RevocationTable } from './revocations.ts'
import { createSmallThings, type SmallThings } from './small-things.ts'
import { createStreams, type Streams } from './streams.ts'

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
  readonly buryForwarded: ReturnType<typeof createImportFailures>
}

interface PartsOptions {
  readonly schema: string
  readonly newId: () => string
  readonly idempotencyWindowDays: number
}

/** The parts of the store over one database. */
export function createStoreParts(database: Database, options: PartsOptions): StoreParts {
  const { schema, newId, idempotencyWindowDays } = options
  const streams = createStreams(schema)
  const hours = createHours(schema)
  const books = createBookkeeping({ streams, hours })
  const chunks = createChunks(schema)
  const deadLetters = createDeadLetters(schema)
  const deliveries = createDeliveries(schema, { chunks, books, deadLetters, claims: createClaims(schema), newId })
  const small = createSmallThings(schema)
  return {
    ...{ streams, hours, books, chunks, deliveries, small },
    heldChunks: createHeldChunks(schema, { chunks, books }),
    keys: createIdempotencyKeys(database, schema, idempotencyWindowDays),
    parked: createParked(schema, { deliveries, chunks }),
    lanes: createLanes(schema),
    desk: createDeadLetterDesk(schema, { chunks, books }),
    revocations: createRevocationTable(schema),
    buryForwarded: createImportFailures(schema, { books, deadLetters, small }),
  }
}
