import * as z from 'zod'
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
