import { DatabaseSync, type StatementSync } from 'node:sqlite'
import type { Sqlite, SqliteStatement } from './contract.ts'

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

  const begin = () => db.exec(depth++ === 0 ? 'BEGIN IMMEDIATE' : `SAVEPOINT s${depth}`)
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
    prepare: (sql) => statementOf(db.prepare(sql)),
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
      try {
        const result = await work()
        commit()
        return result
      } catch (error) {
        rollBack()
        throw error
      }
    },
    close: () => db.close(),
  }
}

/** node:sqlite types rows a little wider than they are. */
function statementOf(statement: StatementSync): SqliteStatement {
  return statement as unknown as SqliteStatement
}
