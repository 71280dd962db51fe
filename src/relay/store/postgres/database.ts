import pg from 'pg'
import { isCollision } from './errors.ts'
import type { Sql } from './sql.ts'

/** A pool of connections, each used for one transaction at a time: also through a pooler such as PgBouncer. */
export interface Database {
  /** Commits when the work is done, with everything synced; once more from the start after a collision. */
  transaction<T>(work: (sql: Sql) => Promise<T>, options?: TransactionOptions): Promise<T>
  /** One statement that reads, outside of transactions. */
  readonly read: Sql
  /** Waits for what is under way. */
  end(): Promise<void>
}

export interface TransactionOptions {
  /** How long a lock may be waited for, ms. Default 10,000. */
  readonly lockTimeoutMs?: number
  /** How long one statement may take, ms. Default 30,000. */
  readonly statementTimeoutMs?: number
  /** Sees one moment of the database, and changes nothing. */
  readonly isSnapshot?: boolean
}

export interface DatabaseOptions {
  /** postgres://user:password@host:port/database?sslmode=… */
  readonly url: string
  /** Most connections at a time. */
  readonly maxConnections: number
  readonly onIdleError: (error: Error) => void
}

const CONNECT_TIMEOUT_MS = 5_000
const IDLE_MS = 30_000
const READ_TIMEOUT_MS = 60_000
/** The server ends a statement by itself; this long after that it has become silent. */
const SILENCE_MS = 5_000
const STATEMENT_TIMEOUT_MS = 30_000
const LOCK_TIMEOUT_MS = 10_000
const MAX_ATTEMPTS = 6
const RETRY_STEP_MS = 15
const INT8 = 20

/** Integers beyond 2^53 are not used. */
const types = {
  getTypeParser: (oid: number, format?: 'text' | 'binary') =>
    oid === INT8 ? Number : pg.types.getTypeParser(oid, format as 'text'),
}

/**
 * No session is relied on: settings are those of one transaction, statements have no name, locks end with their
 * transaction.
 */
export function openDatabase({ url, maxConnections, onIdleError }: DatabaseOptions): Database {
  const pool = new pg.Pool({
    ...{ connectionString: url, max: maxConnections, idleTimeoutMillis: IDLE_MS, keepAlive: true, types },
    ...{ connectionTimeoutMillis: CONNECT_TIMEOUT_MS, application_name: 'metertap' },
    // Statements that do not wait for one another's answers share a round trip.
    ...({ pipeline: true } as object),
  })
  pool.on('error', onIdleError)

  async function once<T>(work: (sql: Sql) => Promise<T>, options: TransactionOptions): Promise<T> {
    const client = await pool.connect()
    const limit = answerWithin(options.statementTimeoutMs ?? STATEMENT_TIMEOUT_MS)
    const sql: Sql = async (text, values) =>
      (await client.query({ text, ...(values && { values }), ...limit } as Query)).rows
    let broken: Error | undefined
    const onError = (error: Error): void => {
      broken = error
    }
    client.on('error', onError)
    try {
      const [, result] = await bothDone(client.query(begin(options)), work(sql))
      // A transaction that failed answers to COMMIT with ROLLBACK, and no error.
      const { command } = await client.query('COMMIT')
      if (command !== 'COMMIT') throw new Error('The transaction was rolled back.')
      return result
    } catch (error) {
      await client.query('ROLLBACK').catch((failure: Error) => {
        broken = failure
      })
      throw error
    } finally {
      client.off('error', onError)
      client.release(broken)
    }
  }

  return {
    async transaction(work, options = {}) {
      for (let attempt = 1; ; attempt++) {
        try {
          return await once(work, options)
        } catch (error) {
          if (attempt === MAX_ATTEMPTS || !isCollision(error)) throw error
          await new Promise((resolve) => setTimeout(resolve, attempt * RETRY_STEP_MS))
        }
      }
    },
    read: async (text, values) =>
      (await pool.query({ text, ...(values && { values }), ...answerWithin(READ_TIMEOUT_MS) } as Query)).rows,
    end: () => pool.end(),
  }
}

/** The first error is the one that tells; the other end is waited for all the same. */
async function bothDone<A, B>(a: Promise<A>, b: Promise<B>): Promise<[A, B]> {
  const [first, second] = await Promise.allSettled([a, b])
  if (first.status === 'rejected') throw first.reason
  if (second.status === 'rejected') throw second.reason
  return [first.value, second.value]
}

type Query = pg.QueryConfig & { query_timeout?: number }

/** A server that does not answer at all, behind a network that swallows everything, must not hold a caller. */
function answerWithin(statementMs: number): { query_timeout?: number } {
  return statementMs === 0 ? {} : { query_timeout: statementMs + SILENCE_MS }
}

/** A relay that hangs in the middle of a transaction must not keep its locks. */
function begin({ lockTimeoutMs, statementTimeoutMs, isSnapshot }: TransactionOptions): string {
  const statementMs = statementTimeoutMs ?? STATEMENT_TIMEOUT_MS
  const lockMs = lockTimeoutMs ?? LOCK_TIMEOUT_MS
  return [
    isSnapshot ? 'BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY' : 'BEGIN ISOLATION LEVEL READ COMMITTED',
    // A server that is told to wait for its replicas goes on doing so; one that is told not to sync is overruled.
    `SELECT set_config('synchronous_commit', 'on', true) WHERE current_setting('synchronous_commit') IN ('off', 'local')`,
    `SET LOCAL statement_timeout = ${statementMs}`,
    `SET LOCAL lock_timeout = ${lockMs}`,
    `SET LOCAL idle_in_transaction_session_timeout = ${STATEMENT_TIMEOUT_MS}`,
  ].join('; ')
}
