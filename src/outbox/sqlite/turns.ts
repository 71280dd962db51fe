import type { Sqlite } from '../../sqlite/contract.ts'
import { MetertapError } from '../../wire/errors.ts'
import { asOutboxError } from './errors.ts'
import type { Statements } from './statements.ts'

/** Statements that may be used as long as their transaction lives. */
export type Work<T> = (sql: Statements) => Promise<T>

/** Calls in turn: transactions of several steps one after the other, and appends that wait for none where they need not. */
export interface Turns {
  /** One transaction of several steps; all of them, or none. Starts over when an append had to come first. */
  transact<T>(work: Work<T>): Promise<T>
  /** Reads by one statement. */
  read<T>(work: (sql: Statements) => T | Promise<T>): Promise<T>
  /**
   * One transaction of one step, committed within this call where the engine can end another one for it: an event must
   * be stored when the program ends in its next step. Else after the calls before.
   */
  atOnce<T>(work: (sql: Statements) => T): Promise<T>
  /** Calls are refused from now on; resolves when those before are over. */
  close(): Promise<void>
}

/** Ends work whose transaction is gone. */
class Interrupted extends Error {}

export function createTurns(db: Sqlite, sql: Statements): Turns {
  let previous: Promise<unknown> = Promise.resolve()
  let waiting = 0
  let isClosed = false
  let running: { isInterrupted: boolean } | undefined

  async function inTurn<T>(work: () => T | Promise<T>): Promise<T> {
    if (isClosed) throw closedError()
    waiting++
    const turn = previous.then(work)
    previous = turn.catch(() => undefined).then(() => void waiting--)
    return turn.catch((error) => {
      throw asOutboxError(error)
    })
  }

  async function attempt<T>(work: Work<T>): Promise<T> {
    const turn = { isInterrupted: false }
    running = turn
    const guarded: Statements = (text) => {
      if (turn.isInterrupted) throw new Interrupted()
      return sql(text)
    }
    try {
      return await db.transactionAsync(() => work(guarded))
    } catch (error) {
      if (!turn.isInterrupted) throw error
      return attempt(work)
    } finally {
      if (running === turn) running = undefined
    }
  }

  return {
    transact: (work) => inTurn(() => attempt(work)),
    read: (work) => inTurn(() => work(sql)),
    async atOnce(work) {
      if (isClosed) throw closedError()
      if (waiting > 0 && !db.interrupt) return inTurn(() => work(sql))
      if (running) {
        running.isInterrupted = true
        db.interrupt?.()
      }
      try {
        return work(sql)
      } catch (error) {
        throw asOutboxError(error)
      }
    },
    async close() {
      isClosed = true
      await previous
    },
  }
}

function closedError(): MetertapError {
  return new MetertapError('closed', 'The outbox is closed. Create a new agent.')
}
