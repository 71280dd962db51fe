import * as z from 'zod'
import { defineMeter } from '../../../../src/index.ts'

export const apiCalls = defineMeter('api_calls', z.object({ feature: z.string(), quantity: z.int().positive() }))
