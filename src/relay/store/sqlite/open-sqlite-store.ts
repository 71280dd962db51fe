import { v7 } from 'uuid'
import { MetertapError } from '../../../wire/errors.ts'
import type { BuildDelivery, Delivery, OpenDeliveryOptions, RelayStore } from '../contract.ts'
import { acceptRequest } from './accept.ts'
import { backUp } from './back-up.ts'
import { openDatabase } from './database.ts'
import { createGroupCommit } from './group-commit.ts'
import { createStoreParts } from './store-parts.ts'

export interface SqliteStoreOptions {
  /** The database file; `<path>-wal` and `<path>-shm` stand beside it. Its folder must exist. */
  readonly path: string
  /** Wall clock, ms. */
  readonly clock: () => number
  /** How many separate ranges of numbers a stream may have. Default 1,000. */
  readonly maxRangesPerStream?: number
  /**
   * For at least so many days an idempotency key is known. Default 61: the relay takes events 60 days old and a day ahead.
   */
  readonly idempotencyWindowDays?: number
  /** How many days the ledger by hour reaches back. Default 100. */
  readonly hourlyDays?: number
  /** Makes ids of deliveries: UUIDs. Default version 7. */
  readonly newId?: () => string
}

/**
 * The relay's store in one SQLite file. Calls of one event-loop turn share one transaction and one disk sync;
 * a promise resolves after both. Every method rejects with MetertapError `closed` after close(), and with `internal`
 * (see its cause) when SQLite fails: then nothing of the call was kept.
 *
 * @throws MetertapError bad_option when the file cannot be used
 * @example const store = openSqliteStore({ path: '/var/lib/metertap/relay.db', clock: Date.now })
 */
export function openSqliteStore(options: SqliteStoreOptions): RelayStore {
  const { path, clock, maxRangesPerStream: maxRanges = 1_000, newId = () => v7() } = options
  const { idempotencyWindowDays = 61, hourlyDays = 100 } = options
  const db = openDatabase(path)
  const group = createGroupCommit(db)
  const parts = createStoreParts(db, { newId, idempotencyWindowDays, hourlyDays })
  const { streams, deliveries, parked, lanes, heldChunks, hours, desk, small, revocations } = parts
  let isClosed = false

  async function write<T>(job: () => T): Promise<T> {
    assertOpen()
    return group.run(job)
  }

  async function read<T>(job: () => T): Promise<T> {
    assertOpen()
    return job()
  }

  function assertOpen(): void {
    if (isClosed) throw new MetertapError('closed', 'The store is closed: open it again.')
  }

  async function openDelivery(claim: OpenDeliveryOptions, build: BuildDelivery): Promise<Delivery | undefined> {
    // One slice of unmappable or late events per turn, so that a long row of them does not hold up the requests.
    for (;;) {
      const opened = await write(() => deliveries.open(claim, build))
      if (opened !== 'again') return opened
    }
  }

  async function releaseHeld(owner: { tenant: string; account: string }): Promise<number> {
    for (let released = 0; ; ) {
      const some = await write(() => heldChunks.releaseSome(owner, clock()))
      if (some === 0) return released
      released += some
    }
  }

  return {
    accept: (request) => write(() => acceptRequest(request, { ...parts, maxRanges })),
    openDelivery,
    acceptDelivery: (id, nowMs) => write(() => deliveries.accept(id, nowMs)),
    postponeDelivery: (id, notBeforeMs, error, inDoubt = true) =>
      write(() => deliveries.postpone(id, notBeforeMs, error, inDoubt)),
    splitDelivery: (id, build, inDoubt = true) => write(() => deliveries.split(id, build, inDoubt, clock())),
    buryDelivery: (id, code, detail, nowMs) => write(() => deliveries.bury(id, code, detail, nowMs)),
    parkDelivery: (id, reason, nowMs) => write(() => parked.park(id, reason, nowMs)),
    parkedDeliveries: (filter = {}) => read(() => parked.list(filter)),
    resolveParked: (id, verdict, nowMs) => write(() => parked.resolve(id, verdict, nowMs)),
    pauseLane: (lane, reason, nowMs) => write(() => lanes.pause(lane, reason, nowMs)),
    resumeLane: (lane) => write(() => lanes.resume(lane)),
    backlog: () => read(() => lanes.backlog()),
    heldEvents: (filter = {}) => read(() => heldChunks.list(filter)),
    releaseHeld,
    ledger: (filter = {}) => read(() => streams.ledger(filter)),
    totals: () => read(() => streams.totals()),
    ledgerByHour: (filter = {}) => read(() => hours.list(filter)),
    gaps: (filter = {}) => read(() => parts.readGaps(filter)),
    deadLetters: (filter = {}) => read(() => desk.find(filter)),
    editDeadLetter: (id, data) => write(() => desk.edit(id, data)),
    replayDeadLetters: (selection) => write(() => desk.replay(selection, clock())),
    deleteDeadLetters: (ids) => write(() => desk.discard(ids, clock())),
    buryForwarded: (failure, nowMs) => write(() => parts.buryForwarded(failure, nowMs)),
    note: (name) => read(() => small.note(name)),
    setNote: (name, value) => write(() => small.setNote(name, value)),
    useNonce: (nonce, expiresAtMs, nowMs) => write(() => small.useNonce(nonce, expiresAtMs, nowMs)),
    async secret(name, create) {
      const stored = await read(() => small.readSecret(name))
      if (stored !== undefined) return stored
      const made = await create()
      return write(() => small.keepSecret(name, made, clock()))
    },
    swapSecret: (name, before, after) => write(() => parts.swapSecret(name, before, after)),
    revoke: (revocation) => write(() => revocations.revoke(revocation)),
    revokedBefore: (subject) => read(() => revocations.before(subject)),
    revocations: () => read(() => revocations.list()),
    check: () => write(() => small.touch(clock())),
    async backup(to) {
      assertOpen()
      await backUp(path, to)
    },
    async close() {
      if (isClosed) return
      isClosed = true
      group.flush()
      db.close()
    },
  }
}
