import { MetertapError } from '../../../wire/errors.ts'
import { unpacked } from '../../event-pack.ts'
import type { AcceptRequest, AcceptResult, RevocationSubject } from '../contract.ts'
import { acceptGroup, keyDayOf } from './accept-group.ts'
import type { Database } from './database.ts'
import { createDays } from './days.ts'
import { cannotOpen, codeOf, isDataError, NO_PARTITION, storeFailed } from './errors.ts'
import { inGroups } from './in-groups.ts'
import { migrate } from './migrate.ts'
import type { Sql } from './sql.ts'
import type { StoreParts } from './store-parts.ts'

/** How the store's methods reach the database. */
export interface PostgresOperations {
  accept(request: AcceptRequest): Promise<AcceptResult>
  revokedBefore(subject: RevocationSubject): Promise<number>
  /** One transaction, which may be booked at these times. */
  write<T>(timesMs: readonly number[], work: (sql: Sql) => Promise<T>): Promise<T>
  read<T>(work: (sql: Sql) => Promise<T>): Promise<T>
  /** Reads that belong to one moment. */
  snapshot<T>(work: (sql: Sql) => Promise<T>): Promise<T>
  close(): Promise<void>
  /** Errors: MetertapError closed. */
  assertOpen(): void
}

interface OperationsOptions {
  readonly database: Database
  readonly schema: string
  readonly parts: StoreParts
  readonly maxRanges: number
  readonly hourlyDays: number
  readonly clock: () => number
}

type Outcome = { result: AcceptResult } | { error: unknown }

/** While one group is synced, the next can be prepared. */
const ACCEPTS_AT_ONCE = 2
const MAX_GROUP_EVENTS = 20_000
const READS_AT_ONCE = 2
const MAX_SUBJECTS = 1_000
const MAX_ATTEMPTS = 4

export function createPostgresOperations(options: OperationsOptions): PostgresOperations {
  const { database, schema, parts, maxRanges, hourlyDays, clock } = options
  const days = createDays(database, { schema, hourlyDays, clock })
  const pending = new Set<Promise<unknown>>()
  let opening: Promise<void> | undefined
  let closing: Promise<void> | undefined

  function assertOpen(): void {
    if (closing) throw new MetertapError('closed', 'The store is closed: open it again.')
  }

  /** Once; after a failure the next call tries again. */
  function opened(): Promise<void> {
    opening ??= open().catch((error: unknown) => {
      opening = undefined
      throw cannotOpen(error)
    })
    return opening
  }

  async function open(): Promise<void> {
    await migrate(database, schema)
    await days.ready(clock())
  }

  /** Everything that close() waits for. Errors become the store's own. */
  function run<T>(job: () => Promise<T>): Promise<T> {
    const running = opened()
      .then(job)
      .catch((error: unknown) => {
        throw storeFailed(error)
      })
    pending.add(running)
    const done = (): void => void pending.delete(running)
    running.then(done, done)
    return running
  }

  /** Partitions may have been dropped or missing: then they are made, and the same is done again. */
  async function withDays<T>(timesMs: readonly number[], job: () => Promise<T>): Promise<T> {
    for (let attempt = 1; ; attempt++) {
      try {
        await days.ready(...timesMs)
        return await job()
      } catch (error) {
        if (attempt === MAX_ATTEMPTS || codeOf(error) !== NO_PARTITION) throw error
        days.forget()
      }
    }
  }

  async function acceptTogether(requests: readonly AcceptRequest[]): Promise<Outcome[]> {
    const isKeyed = requests.some(({ events }) => events.some(({ idempotencyKey }) => idempotencyKey !== undefined))
    const times = requests.map(({ receivedAtMs }) => receivedAtMs)
    return withDays(times, async () => {
      for (let attempt = 1; attempt <= MAX_ATTEMPTS; attempt++) {
        if (isKeyed) await parts.keys.prepare(keyDayOf(requests))
        const outcomes = await database.transaction((sql) => acceptGroup(sql, requests, { ...parts, maxRanges }))
        if (outcomes !== 'not ready') return outcomes
      }
      throw new Error('The day of the idempotency keys is changed again and again: look at the relays’ clocks.')
    })
  }

  /** What the database cannot hold fails alone: after an error of the group each goes by itself. */
  async function acceptApart(requests: readonly AcceptRequest[]): Promise<Outcome[]> {
    try {
      return await acceptTogether(requests)
    } catch (error) {
      if (requests.length === 1 || !isDataError(error)) throw error
      return Promise.all(
        requests.map((request) =>
          acceptTogether([request]).then(
            ([outcome]) => outcome as Outcome,
            (failure: unknown) => ({ error: failure }),
          ),
        ),
      )
    }
  }

  const accepts = inGroups<AcceptRequest, AcceptResult>(acceptApart, {
    ...{ maxAtOnce: ACCEPTS_AT_ONCE, maxWeight: MAX_GROUP_EVENTS },
    weigh: ({ events }) => Math.max(1, events.length),
  })
  const revoked = inGroups<RevocationSubject, number>(
    async (subjects) => {
      const times = await parts.revocations.before(database.read, subjects)
      return times.map((result) => ({ result }))
    },
    { maxAtOnce: READS_AT_ONCE, maxWeight: MAX_SUBJECTS, weigh: () => 1 },
  )

  return {
    assertOpen,
    async accept(request) {
      assertOpen()
      return run(() => accepts.run(unpacked(request)))
    },
    async revokedBefore(subject) {
      assertOpen()
      return run(() => revoked.run(subject))
    },
    async write(timesMs, work) {
      assertOpen()
      return run(() => withDays(timesMs, () => database.transaction(work)))
    },
    async read(work) {
      assertOpen()
      return run(() => work(database.read))
    },
    async snapshot(work) {
      assertOpen()
      return run(() => database.transaction(work, { isSnapshot: true }))
    },
    close() {
      closing ??= Promise.allSettled([...pending]).then(() => database.end())
      return closing
    },
  }
}
