import { DatabaseSync } from 'node:sqlite'
import type { Sqlite, SqliteStatement, SqliteValue } from './contract.ts'
import { unnumber } from './unnumber.ts'

/**
 * One connection of node:sqlite on a file, or in memory for ':memory:'.
 *
 * @example const db = openNodeSqlite('usage.db'); db.exec('PRAGMA journal_mode = WAL')
 */
export function openNodeSqlite(path: string): Sqlite {
  return nodeSqlite(new DatabaseSync(path))
}

/** The same for a connection that is open already; close() closes it. */
export function nodeSqlite(db: DatabaseSync): Sqlite {
  let depth = 0
  /** The transactionAsync() that is under way. */
  let open: { isOver: boolean } | undefined

  const begin = () => {
    db.exec(depth === 0 ? 'BEGIN IMMEDIATE' : `SAVEPOINT s${depth + 1}`)
    // Only now: it throws while another connection writes.
    depth++
  }
  const commit = () => {
    db.exec(depth === 1 ? 'COMMIT' : `RELEASE s${depth}`)
    depth--
  }
  const rollBack = () => {
    try {
      db.exec(depth === 1 ? 'ROLLBACK' : `ROLLBACK TO s${depth}; RELEASE s${depth}`)
    } catch {
      // SQLite has given up the whole transaction already (a full disk does that), which is what was wanted.
    }
    depth--
  }

  return {
    prepare: (sql) => prepare(db, sql),
    exec: (sql) => db.exec(sql),
    transaction(work) {
      begin()
      try {
        const result = work()
        commit()
        return result
      } catch (error) {
        rollBack()
        throw error
      }
    },
    async transactionAsync(work) {
      begin()
      const turn = { isOver: false }
      open = turn
      try {
        const result = await work()
        if (turn.isOver) throw new Error('The transaction was interrupted.')
        commit()
        return result
      } catch (error) {
        if (!turn.isOver) rollBack()
        throw error
      } finally {
        if (open === turn) open = undefined
      }
    },
    interrupt() {
      if (!open) return
      open.isOver = true
      open = undefined
      rollBack()
    },
    close: () => db.close(),
  }
}

function prepare(db: DatabaseSync, given: string): SqliteStatement {
  const { sql, order } = unnumber(given)
  // node:sqlite types rows a little wider than they are.
  const statement = db.prepare(sql) as unknown as SqliteStatement
  if (!order) return statement
  const inOrder = (parameters: readonly SqliteValue[]) => order.map((index) => parameters[index] as SqliteValue)
  return {
    run: (...parameters) => statement.run(...inOrder(parameters)),
    get: (...parameters) => statement.get(...inOrder(parameters)),
    all: (...parameters) => statement.all(...inOrder(parameters)),
    iterate: (...parameters) => statement.iterate(...inOrder(parameters)),
  }
}
