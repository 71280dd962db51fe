import { v7 } from 'uuid'
import { MetertapError } from '../../../wire/errors.ts'
import type { BuildDelivery, Delivery, LaneBacklog, OpenDeliveryOptions, RelayStore } from '../contract.ts'
import { acceptRequest } from './accept.ts'
import { createChunks } from './chunks.ts'
import { openDatabase } from './database.ts'
import { createDeadLetterDesk } from './dead-letter-desk.ts'
import { createDeadLetters } from './dead-letters.ts'
import { createDeliveries } from './deliveries.ts'
import { createGapReader } from './gaps.ts'
import { createGroupCommit } from './group-commit.ts'
import { createRevocationTable } from './revocations.ts'
import { createSmallThings } from './small-things.ts'
import { createStreams } from './streams.ts'
import { createSwapSecret } from './swap-secret.ts'

export interface SqliteStoreOptions {
  /** The database file; `<path>-wal` and `<path>-shm` stand beside it. Its folder must exist. */
  readonly path: string
  /** Wall clock, ms. */
  readonly clock: () => number
  /** How many separate ranges of numbers a stream may have. Default 1,000. */
  readonly maxRangesPerStream?: number
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
  const db = openDatabase(path)
  const group = createGroupCommit(db)
  const streams = createStreams(db)
  const chunks = createChunks(db)
  const deadLetters = createDeadLetters(db)
  const desk = createDeadLetterDesk(db, { chunks, streams })
  const readGaps = createGapReader(db)
  const deliveries = createDeliveries(db, { chunks, streams, deadLetters, newId })
  const small = createSmallThings(db)
  const revocations = createRevocationTable(db)
  const swapSecret = createSwapSecret(db)
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
    // One slice of unmappable events per turn, so that a long row of them does not hold up the requests.
    for (;;) {
      const opened = await write(() => deliveries.open(claim, build))
      if (opened !== 'again') return opened
    }
  }

  function backlog(): LaneBacklog[] {
    const rows = new Map(deliveries.rowsInDelivery().map((lane) => [lane.lane, lane.rows]))
    return chunks.waiting().map(({ lane, waiting }) => ({ lane, waiting, inDelivery: rows.get(lane) ?? 0 }))
  }

  return {
    accept: (request) => write(() => acceptRequest(request, { streams, chunks, maxRanges })),
    openDelivery,
    acceptDelivery: (id) => write(() => deliveries.accept(id)),
    postponeDelivery: (id, notBeforeMs, error) => write(() => deliveries.postpone(id, notBeforeMs, error)),
    splitDelivery: (id, build) => write(() => deliveries.split(id, build, clock())),
    buryDelivery: (id, code, detail, nowMs) => write(() => deliveries.bury(id, code, detail, nowMs)),
    backlog: () => read(backlog),
    ledger: (filter = {}) => read(() => streams.ledger(filter)),
    totals: () => read(() => streams.totals()),
    deadLetters: (filter = {}) => read(() => desk.find(filter)),
    editDeadLetter: (id, data) => write(() => desk.edit(id, data)),
    replayDeadLetters: (ids) => write(() => desk.replay(ids)),
    gaps: (filter = {}) => read(() => readGaps(filter)),
    useNonce: (nonce, expiresAtMs, nowMs) => write(() => small.useNonce(nonce, expiresAtMs, nowMs)),
    async secret(name, create) {
      const stored = await read(() => small.readSecret(name))
      if (stored !== undefined) return stored
      const made = await create()
      return write(() => small.keepSecret(name, made, clock()))
    },
    swapSecret: (name, before, after) => write(() => swapSecret(name, before, after)),
    revoke: (revocation) => write(() => revocations.revoke(revocation)),
    revokedBefore: (subject) => read(() => revocations.before(subject)),
    revocations: () => read(() => revocations.list()),
    check: () => write(() => small.touch(clock())),
    async close() {
      if (isClosed) return
      isClosed = true
      group.flush()
      db.close()
    },
  }
}
