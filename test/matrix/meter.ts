import * as z from 'zod'
import { defineMeter } from '../../src/index.ts'

/** The one meter of the crash matrix. `pad` gives an event the size that a scenario needs. */
export const matrixEvents = defineMeter(
  'matrix_events',
  z.object({ n: z.int().nonnegative(), pad: z.string().max(60_000) }),
)
