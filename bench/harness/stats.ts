/** A figure over several rounds. */
export interface Spread {
  readonly median: number
  readonly min: number
  readonly max: number
  readonly rounds: number
}

/**
 * The value below which the given share of the values lies, between two neighbours by their distance.
 * @throws RangeError for no values at all.
 */
export function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b)
  const place = (sorted.length - 1) * share
  const below = sorted[Math.floor(place)]
  const above = sorted[Math.ceil(place)]
  if (below === undefined || above === undefined) throw new RangeError('No values were measured.')
  return below + (above - below) * (place - Math.floor(place))
}

export function median(values: readonly number[]): number {
  return quantile(values, 0.5)
}

export function spreadOf(values: readonly number[]): Spread {
  return { median: median(values), min: Math.min(...values), max: Math.max(...values), rounds: values.length }
}

/** Round by round, one figure over the other's of the same round. */
export function ratioOf(values: readonly number[], over: readonly number[]): Spread {
  if (values.length !== over.length) throw new RangeError('A ratio needs both figures of every round.')
  return spreadOf(values.map((value, round) => value / (over[round] as number)))
}
