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
