import * as z from 'zod'
// In a project of your own: from 'metertap'.
import { defineMeter } from '../../src/index.ts'

/** What is billed. The front end records it; the relay checks it again, by the same schema. */
export const apiCalls = defineMeter('api_calls', z.object({ feature: z.string(), quantity: z.int().positive() }))
