import type { MeterRoute } from '../../src/relay.ts'
import type { FieldRule, MeterOptions } from '../../src/zuora-stand-in/contract.ts'
import { apiCalls, exports, inkDabs, storageBytes, webRequests } from '../meters.ts'

/** What every event of ours has upstream. UsageIdentifier is the field that Zuora's Deduplicator is keyed on. */
const COMMON = { CustomerId: 'account', UsageIdentifier: 'id', UsageDate: 'at' } as const
const COMMON_RULES: Readonly<Record<string, FieldRule>> = {
  CustomerId: { type: 'string' },
  UsageIdentifier: { type: 'string' },
  UsageDate: { type: 'date' },
}

/** The meters as the relay needs them: which field of the event becomes which field upstream. */
export const METER_ROUTES: readonly MeterRoute[] = [
  {
    meter: exports,
    upstream: {
      meterGlobalId: 'halftone-exports',
      fields: { ...COMMON, Quantity: 'data.quantity', Format: 'data.format' },
    },
  },
  {
    meter: apiCalls,
    upstream: {
      meterGlobalId: 'halftone-api-calls',
      fields: { ...COMMON, Quantity: 'data.quantity', Operation: 'data.operation' },
    },
  },
  {
    meter: storageBytes,
    upstream: { meterGlobalId: 'halftone-storage', fields: { ...COMMON, Quantity: 'data.bytes' } },
  },
  {
    meter: inkDabs,
    upstream: {
      meterGlobalId: 'halftone-ink-dabs',
      fields: { ...COMMON, Quantity: 'data.quantity', Ink: 'data.ink' },
    },
  },
  {
    meter: webRequests,
    upstream: {
      meterGlobalId: 'halftone-web-requests',
      // The stand-in's Deduplicator forgets nothing, so logs that are years old need not be sent one event at a time.
      dedupWindowDays: 18_250,
      fields: {
        ...COMMON,
        Quantity: 'data.bytes',
        Visitor: 'data.visitor',
        Method: 'data.method',
        Path: 'data.path',
        Status: 'data.status',
        Browser: 'data.browser',
      },
    },
  },
]

/** The same meters as their owner would define them in Zuora: strict event definitions with a Deduplicator. */
export const ZUORA_METERS: readonly MeterOptions[] = [
  zuoraMeter('halftone-exports', { Quantity: { type: 'integer' }, Format: { type: 'string' } }),
  zuoraMeter('halftone-api-calls', { Quantity: { type: 'integer' }, Operation: { type: 'string' } }),
  zuoraMeter('halftone-storage', { Quantity: { type: 'integer' } }),
  zuoraMeter('halftone-ink-dabs', { Quantity: { type: 'integer' }, Ink: { type: 'string' } }),
  zuoraMeter('halftone-web-requests', {
    Quantity: { type: 'integer' },
    Visitor: { type: 'string' },
    Method: { type: 'string' },
    Path: { type: 'string' },
    Status: { type: 'integer' },
    Browser: { type: 'string' },
  }),
]

function zuoraMeter(id: string, fields: Readonly<Record<string, FieldRule>>): MeterOptions {
  const deduplicator = { field: 'UsageIdentifier' }
  return { id, fields: { ...COMMON_RULES, ...fields }, deduplicator, uniqueField: deduplicator.field }
}

/** The upstream's id of a meter. Throws for one that the demo does not have. */
export function meterIdOf(name: string): string {
  const id = METER_ROUTES.find(({ meter }) => meter.name === name)?.upstream.meterGlobalId
  if (id === undefined) throw new RangeError(`The demo has no meter ${name}.`)
  return id
}
