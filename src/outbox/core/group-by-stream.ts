export function groupByStream<Row extends { readonly stream: string }>(rows: readonly Row[]): Map<string, Row[]> {
  const groups = new Map<string, Row[]>()
  for (const row of rows) {
    const group = groups.get(row.stream)
    if (group) group.push(row)
    else groups.set(row.stream, [row])
  }
  return groups
}
