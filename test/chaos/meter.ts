import * as z from 'zod'
import type { MeterOptions } from '../../demo/zuora/contract.ts'
import { defineMeter } from '../../src/index.ts'

/** The one meter of the chaos runs. `pad` gives events different sizes. */
export const chaosEvents = defineMeter('chaos', z.object({ n: z.int().nonnegative(), pad: z.string().max(10_000) }))

export const CHAOS_METER_ID = 'chaos-id'

/** Its way upstream. */
export const CHAOS_ROUTE = {
  meter: chaosEvents,
  upstream: {
    meterGlobalId: CHAOS_METER_ID,
    fields: { UsageIdentifier: 'id', CustomerId: 'account', UsageDate: 'at', Quantity: 'data.n' },
  },
} as const

/** The upstream's side of it. */
export const CHAOS_ZUORA_METER: MeterOptions = {
  id: CHAOS_METER_ID,
  fields: {
    UsageIdentifier: { type: 'string' },
    CustomerId: { type: 'string' },
    UsageDate: { type: 'date' },
    Quantity: { type: 'integer' },
  },
  deduplicator: { field: 'UsageIdentifier' },
}
