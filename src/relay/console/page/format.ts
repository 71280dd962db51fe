const numbers = new Intl.NumberFormat('en')

export const count = (value: number): string => numbers.format(value)

/** 2026-11-24 15:02:07.123 UTC */
export const time = (ms: number): string => `${new Date(ms).toISOString().replace('T', ' ').replace('Z', '')} UTC`

export const day = (ms: number): string => new Date(ms).toISOString().slice(0, 10)

const UNITS: readonly (readonly [string, number])[] = [
  ['d', 86_400_000],
  ['h', 3_600_000],
  ['min', 60_000],
  ['s', 1_000],
]

/** How long something is ago or ahead, in its largest unit. */
export function span(ms: number): string {
  const [unit, size] = UNITS.find(([, least]) => ms >= least) ?? ['s', 1_000]
  return `${Math.max(0, Math.floor(ms / size))} ${unit}`
}

/** Not rounded up to 100 % while anything is missing. */
export function share(part: number, whole: number): string {
  if (whole === 0) return '–'
  return `${(Math.floor((part / whole) * 10_000) / 100).toFixed(2)} %`
}
