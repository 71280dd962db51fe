/** What a column holds or a parameter is. */
export type SqliteValue = null | number | bigint | string | Uint8Array

export type SqliteRow = Record<string, SqliteValue>

/**
 * A statement that was prepared once; parameters stand in the order of its question marks, or of the numbers behind all
 * of them: `?1`, `?2`.
 */
export interface SqliteStatement {
  run(...parameters: SqliteValue[]): { readonly changes: number | bigint }
  get(...parameters: SqliteValue[]): SqliteRow | undefined
  all(...parameters: SqliteValue[]): SqliteRow[]
  /** One row at a time; another statement must not write what is being read. */
  iterate(...parameters: SqliteValue[]): Iterable<SqliteRow>
}

/**
 * One synchronous SQLite connection, whichever engine it is of: node:sqlite, or the SQLite of a Durable Object.
 * Integers beyond 2^53 are not used.
 */
export interface Sqlite {
  prepare(sql: string): SqliteStatement
  /** Statements without parameters and without results. No BEGIN, COMMIT or SAVEPOINT: see transaction(). */
  exec(sql: string): void
  /** All of the work, or nothing of it when it throws. Nests. */
  transaction<T>(work: () => T): T
  /** The same for work that waits, though only for what has resolved already. One at a time; does not nest. */
  transactionAsync<T>(work: () => Promise<T>): Promise<T>
  /**
   * Rolls back a transactionAsync() that is under way, at once, so that something else can be written at once; its
   * promise rejects. The work itself is not stopped: it must touch nothing from then on. Absent where it cannot be done.
   */
  readonly interrupt?: () => void
  close(): void
}
