import * as z from 'zod'
import { defineMeter } from '../../../src/meter/define-meter.ts'

export const calls = defineMeter('calls', z.object({ n: z.number() }))
export const clicks = defineMeter('clicks', z.object({ n: z.number() }), {
  aggregate: { windowMs: 3_600_000, sum: ['n'] },
})
