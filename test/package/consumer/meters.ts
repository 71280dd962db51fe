import { defineMeter } from 'metertap'
import * as z from 'zod'

/** What this product bills; its front ends record it, its relay checks it again. */
export const apiCalls = defineMeter('api_calls', z.object({ feature: z.string(), quantity: z.int().positive() }))
