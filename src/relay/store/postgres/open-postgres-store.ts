import { v7 } from 'uuid'
import { MetertapError } from '../../../wire/errors.ts'
import type { AcceptRequest, BuildDelivery, Delivery, OpenDeliveryOptions, RelayStore } from '../contract.ts'
import { openDatabase } from './database.ts'
import { readGaps } from './gaps.ts'
import { createPostgresOperations } from './operations.ts'
import { createSharedCalls } from './shared-calls.ts'
import { createStoreParts } from './store-parts.ts'
import { readTotals } from './totals.ts'

export interface PostgresStoreOptions {
  /** postgres://user:password@host:port/database; PgBouncer in transaction mode will do. */
  readonly url: string
  /** Wall clock, ms. */
  readonly clock: () => number
  /** The schema that holds the tables. Default 'metertap'. */
  readonly schema?: string
  /** Most connections of this process. Default 10. */
  readonly maxConnections?: number
  /** How many separate ranges of numbers a stream may have. Default 1,000. */
  readonly maxRangesPerStream?: number
  /** For at least so many days an idempotency key is known. Default 61. */
  readonly idempotencyWindowDays?: number
  /** How many days the ledger by hour reaches back. Default 100. */
  readonly hourlyDays?: number
  /** Makes ids of deliveries: UUIDs. Default version 7. */
  readonly newId?: () => string
  /** Told of connections that end while nobody uses them. */
  readonly onIdleError?: (error: Error) => void
}

/**
 * The relay's store in PostgreSQL 14 or newer, for any number of relays at a time. The schema is made or migrated by the
 * first call. Calls of one event-loop turn share a transaction; a promise resolves after commit and sync. Every method
 * rejects with MetertapError `closed` after close(), with `bad_option` when the database cannot be used as it is
 * configured, and with `internal` (see its cause) when it fails or cannot be reached: then nothing was acknowledged.
 *
 * @example const store = openPostgresStore({ url: 'postgres://relay:secret@db.internal/usage', clock: Date.now })
 */
export function openPostgresStore(options: PostgresStoreOptions): RelayStore {
  const { url, clock, schema = 'metertap', maxConnections = 10, newId = () => v7() } = options
  const { maxRangesPerStream: maxRanges = 1_000, idempotencyWindowDays = 61, hourlyDays = 100 } = options
  const database = openDatabase({ url, maxConnections, onIdleError: options.onIdleError ?? (() => {}) })
  const parts = createStoreParts(database, { schema, newId, idempotencyWindowDays })
  const { streams, chunks, deliveries, parked, lanes, heldChunks, hours, desk, small, revocations } = parts
  const { accept, revokedBefore, write, read, snapshot, close, assertOpen } = createPostgresOperations({
    ...{ database, schema, parts, maxRanges, hourlyDays, clock },
  })

  async function openDelivery(claim: OpenDeliveryOptions, build: BuildDelivery): Promise<Delivery | undefined> {
    // One slice of unmappable or late events per transaction, so that a long row of them keeps no lock for long.
    for (;;) {
      const opened = await write([claim.nowMs], (sql) => deliveries.open(sql, claim, build))
      if (opened !== 'again') return opened
    }
  }

  async function releaseHeld(owner: { tenant: string; account: string }): Promise<number> {
    for (let released = 0; ; ) {
      const some = await write([clock()], (sql) => heldChunks.releaseSome(sql, owner, clock()))
      if (some === 0) return released
      released += some
    }
  }

  return {
    accept: (request: AcceptRequest) => accept(request),
    openDelivery,
    acceptDelivery: (id, nowMs) => write([nowMs], (sql) => deliveries.accept(sql, id, nowMs)),
    postponeDelivery: (id, notBeforeMs, error, inDoubt = true) =>
      write([], (sql) => deliveries.postpone(sql, id, notBeforeMs, error, inDoubt)),
    splitDelivery: (id, build, inDoubt = true) =>
      write([clock()], (sql) => deliveries.split(sql, id, build, inDoubt, clock())),
    buryDelivery: (id, code, detail, nowMs) => write([nowMs], (sql) => deliveries.bury(sql, id, code, detail, nowMs)),
    parkDelivery: (id, reason, nowMs) => write([], async (sql) => void (await parked.park(sql, id, reason, nowMs))),
    parkedDeliveries: (filter = {}) => snapshot((sql) => parked.list(sql, filter)),
    resolveParked: (id, verdict, nowMs) => write([nowMs], (sql) => parked.resolve(sql, id, verdict, nowMs)),
    pauseLane: (lane, reason, nowMs) => write([], async (sql) => void (await lanes.pause(sql, lane, reason, nowMs))),
    resumeLane: (lane) => write([], (sql) => lanes.resume(sql, lane)),
    backlog: () => read((sql) => lanes.backlog(sql)),
    waitingOfOthers: (lane, account) => read((sql) => chunks.ofOthers(sql, lane, account)),
    heldEvents: (filter = {}) => read((sql) => heldChunks.list(sql, filter)),
    releaseHeld,
    ledger: (filter = {}) => read((sql) => streams.ledger(sql, filter)),
    totals: () => read((sql) => readTotals(sql, schema)),
    ledgerByHour: (filter = {}) => read((sql) => hours.list(sql, filter)),
    gaps: (filter = {}) => read((sql) => readGaps(sql, schema, filter)),
    deadLetters: (filter = {}) => read((sql) => desk.find(sql, filter)),
    editDeadLetter: (id, data) => write([], (sql) => desk.edit(sql, id, data)),
    replayDeadLetters: (selection) => write([clock()], (sql) => desk.replay(sql, selection, clock())),
    deleteDeadLetters: (ids) => write([clock()], (sql) => desk.discard(sql, ids, clock())),
    buryForwarded: (failure, nowMs) => write([nowMs], (sql) => parts.buryForwarded(sql, failure, nowMs)),
    note: (name) => read((sql) => small.note(sql, name)),
    setNote: (name, value) => write([], async (sql) => void (await small.setNote(sql, name, value))),
    useNonce: (nonce, expiresAtMs, nowMs) => write([], (sql) => small.useNonce(sql, nonce, expiresAtMs, nowMs)),
    async secret(name, create) {
      const stored = await read((sql) => small.readSecret(sql, name))
      if (stored !== undefined) return stored
      const made = await create()
      return write([], (sql) => small.keepSecret(sql, name, made, clock()))
    },
    swapSecret: (name, before, after) => write([], (sql) => small.swapSecret(sql, name, before, after)),
    revoke: (revocation) => write([], async (sql) => void (await revocations.revoke(sql, revocation))),
    revokedBefore,
    revocations: () => read((sql) => revocations.list(sql)),
    sharedCalls: (buckets) => createSharedCalls(schema, { read, write: (work) => write([], work) }, buckets),
    check: () => write([], async (sql) => void (await small.touch(sql, clock()))),
    async backup() {
      assertOpen()
      const message = 'The relay does not copy PostgreSQL: use pg_dump, or base backups with point-in-time recovery.'
      throw new MetertapError('bad_option', message)
    },
    close,
  }
}
