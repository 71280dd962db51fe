/** Counts by reason. */
export type Tally = Readonly<Record<string, number>>

export function sumOf(tally: Tally | undefined): number {
  return Object.values(tally ?? {}).reduce((total, count) => total + count, 0)
}

export function addTallies(a: Tally | undefined, b: Tally): Record<string, number> {
  const total: Record<string, number> = { ...a }
  for (const [key, count] of Object.entries(b)) total[key] = (Object.hasOwn(total, key) ? (total[key] ?? 0) : 0) + count
  return total
}
