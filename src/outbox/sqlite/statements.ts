import type { Sqlite, SqliteStatement } from '../../sqlite/contract.ts'

/** The statement of this text, prepared once. */
export type Statements = (text: string) => SqliteStatement

export function createStatements(db: Sqlite): Statements {
  const known = new Map<string, SqliteStatement>()
  return (text) => {
    const statement = known.get(text) ?? db.prepare(text)
    known.set(text, statement)
    return statement
  }
}
