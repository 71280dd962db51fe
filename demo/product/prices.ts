/** Halftone's price list, by meter. */
export interface Price {
  readonly meter: string
  readonly label: string
  /** What it costs, in words. */
  readonly price: string
  /** Euros for one of what the meter counts. */
  readonly eurosEach: number
  /** How the meter's quantity is written. */
  readonly show: (quantity: number) => string
}

const whole = (value: number): string => value.toLocaleString('en')
const megabytes = (bytes: number): string =>
  `${(bytes / 1e6).toLocaleString('en', { minimumFractionDigits: 2, maximumFractionDigits: 2 })} MB`

export const PRICES: readonly Price[] = [
  { meter: 'exports', label: 'Exports', price: '€0.04 each', eurosEach: 0.04, show: whole },
  { meter: 'storage_bytes', label: 'Library storage', price: '€0.90 per MB', eurosEach: 0.9e-6, show: megabytes },
  { meter: 'ink_dabs', label: 'Ink dabs', price: '€2 per 1,000', eurosEach: 0.002, show: whole },
]

/** Euros with cents, such as €1,204.50. */
export function inEuros(amount: number): string {
  return amount.toLocaleString('en', { style: 'currency', currency: 'EUR' })
}
