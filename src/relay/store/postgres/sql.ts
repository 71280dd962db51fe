/** One statement inside the open transaction; parameters stand as $1, $2 … */
export type Sql = <Row = Record<string, unknown>>(text: string, parameters?: readonly unknown[]) => Promise<Row[]>

/** A set of columns as parallel arrays, the way unnest() wants them. */
export function columns<T>(rows: readonly T[], ...pick: readonly ((row: T) => unknown)[]): unknown[][] {
  return pick.map((value) => rows.map(value))
}

/** A schema's name as it stands in statements. Names are checked where the configuration is read. */
export function quoted(name: string): string {
  return `"${name.replaceAll('"', '""')}"`
}

/**
 * Whether the schema has the table. It is looked up as rows: names that a session has resolved before an advisory lock
 * was given may still be taken from its memory after it.
 */
export async function hasTable(sql: Sql, schema: string, table: string): Promise<boolean> {
  const rows = await sql(
    `SELECT 1 FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname = $1 AND c.relname = $2`,
    [schema, table],
  )
  return rows.length > 0
}
