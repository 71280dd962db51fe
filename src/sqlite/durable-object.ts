import type { Sqlite, SqliteRow, SqliteStatement, SqliteValue } from './contract.ts'

/** The part of a Durable Object's `ctx.storage` that is needed; its class must be a SQLite one (`new_sqlite_classes`). */
export interface DurableObjectSql {
  readonly sql: {
    exec(
      sql: string,
      ...parameters: unknown[]
    ): Iterable<Record<string, unknown>> & {
      toArray(): Record<string, unknown>[]
    }
  }
  transactionSync<T>(work: () => T): T
  transaction<T>(work: () => Promise<T>): Promise<T>
}

/**
 * The SQLite of a Durable Object. It keeps prepared statements itself, and commits when the turn is over.
 *
 * @example const db = durableObjectSqlite(ctx.storage)
 */
export function durableObjectSqlite(storage: DurableObjectSql): Sqlite {
  const run = (sql: string, parameters: readonly SqliteValue[]) => storage.sql.exec(sql, ...parameters.map(toEngine))
  return {
    prepare: (sql): SqliteStatement => ({
      run(...parameters) {
        run(sql, parameters).toArray()
        return {
          // Asked for only when somebody looks, which is at once: most do not.
          get changes() {
            return run('SELECT changes() AS changes', []).toArray()[0]?.changes as number
          },
        }
      },
      get: (...parameters) => rowOf(run(sql, parameters).toArray()[0]),
      all: (...parameters) => run(sql, parameters).toArray().map(toRow),
      *iterate(...parameters) {
        for (const row of run(sql, parameters)) yield toRow(row)
      },
    }),
    exec: (sql) => void storage.sql.exec(sql).toArray(),
    transaction: (work) => storage.transactionSync(work),
    transactionAsync: (work) => storage.transaction(work),
    close: () => {},
  }
}

function rowOf(row: Record<string, unknown> | undefined): SqliteRow | undefined {
  return row && toRow(row)
}

/** The engine gives blobs as ArrayBuffers. */
function toRow(row: Record<string, unknown>): SqliteRow {
  for (const [name, value] of Object.entries(row)) if (value instanceof ArrayBuffer) row[name] = new Uint8Array(value)
  return row as SqliteRow
}

/** The engine takes no bigint and no view of a part of a buffer. */
function toEngine(value: SqliteValue): unknown {
  if (typeof value === 'bigint') return Number(value)
  if (!(value instanceof Uint8Array)) return value
  return value.byteLength === value.buffer.byteLength ? value.buffer : value.slice().buffer
}
