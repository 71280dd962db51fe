import * as z from 'zod'
import { defineMeter } from '../../src/index.ts'

/** The one meter of the benches; the relay under measurement checks every event against it again. */
export const benchRequests = defineMeter(
  'web_requests',
  z.object({
    n: z.int().nonnegative(),
    visitor: z.string(),
    method: z.string(),
    path: z.string(),
    status: z.int(),
    bytes: z.int(),
    browser: z.string(),
  }),
)
