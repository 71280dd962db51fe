import type { Load } from './contract.ts'
import { MEASURED_EVENT_BYTES } from './needs.ts'

/** A million events a second. What of it is assumed and not measured, docs/scale.md says. */
export const MILLION: Load = {
  eventsPerS: 1_000_000,
  batchEvents: 500,
  accounts: 100_000,
  meters: 10,
  streamsPerDay: 50_000_000,
  eventBytes: MEASURED_EVENT_BYTES,
  keyShare: 0.01,
  keyWindowDays: 61,
  tier: 'production',
  rowBytes: 141,
  callMs: 500,
  useOfCore: 0.6,
  coresPerDatabase: 32,
  walBytesPerSPerDatabase: 200e6,
  keepYears: 1,
  outageS: 3_600,
}

/** The names on the command line, where they are shorter. */
export const SHORT_NAMES: Readonly<Record<string, keyof Load>> = { load: 'eventsPerS', batch: 'batchEvents' }

const TIERS = new Set(['api-sandbox', 'developer-sandbox', 'central-sandbox', 'production'])
const MAY_BE_ZERO = new Set(['keyShare', 'callMs', 'outageS'])
const ARE_SHARES = new Set(['keyShare', 'useOfCore'])

/** Options of a command line over a load. Errors: RangeError that names the option and says what fits. */
export function loadFrom(given: Readonly<Record<string, string | undefined>>, base: Load = MILLION): Load {
  const named = Object.fromEntries(Object.entries(given).map(([name, text]) => [SHORT_NAMES[name] ?? name, text]))
  const entries = Object.entries(base).map(([name, fallback]) => {
    const text = named[name]
    return [name, text === undefined ? fallback : readOption(name, text)]
  })
  return Object.fromEntries(entries)
}

function readOption(name: string, text: string): number | string {
  if (name === 'tier') {
    if (TIERS.has(text)) return text
    throw new RangeError(`--tier must be one of ${[...TIERS].join(', ')}.`)
  }
  const value = Number(text)
  const isHigh = value > 0 || (value === 0 && MAY_BE_ZERO.has(name))
  if (text.trim() !== '' && isHigh && value <= (ARE_SHARES.has(name) ? 1 : 1e15)) return value
  const least = MAY_BE_ZERO.has(name) ? 'from 0' : 'above 0'
  throw new RangeError(`--${name} must be a number ${least}${ARE_SHARES.has(name) ? ', at most 1' : ''}.`)
}
