/** What Halftone bills. The page records these meters; the relay checks every event against them again. */
import * as z from 'zod'
import { defineMeter } from '../src/index.ts'

/** Zuora's texts hold no character of four UTF-8 bytes: better refused at record() than lost upstream. */
const text = (maxLength: number) =>
  z
    .string()
    .max(maxLength)
    .regex(/^[^\ud800-\udfff]*$/, 'holds an emoji or another character that the billing system does not take')

const quantity = z.int().positive().max(1_000_000)

/** A picture leaves the studio as a file. */
export const exports = defineMeter('exports', z.object({ format: z.enum(['png', 'jpeg', 'webp']), quantity }))

/** A dab of the brush. Hundreds come in a minute, so the meter adds them up: one event for each ink and window. */
export const inkDabs = defineMeter('ink_dabs', z.object({ ink: z.enum(['cyan', 'magenta', 'yellow']), quantity }), {
  aggregate: { windowMs: 2_000, sum: ['quantity'], by: ['ink'] },
})

/** The studio's image service does some work: see demo/worker. */
export const apiCalls = defineMeter('api_calls', z.object({ operation: text(40).min(1), quantity }))

/** A picture is kept in the customer's library; its bytes are billed, so they are worth a sync of the disk. */
export const storageBytes = defineMeter('storage_bytes', z.object({ bytes: z.int().positive() }), {
  durability: 'power',
})

/** One line of a web server's log, for `--replay`. */
export const webRequests = defineMeter(
  'web_requests',
  z.object({
    visitor: text(100),
    method: text(20).min(1),
    path: text(8_192),
    status: z.int().min(100).max(599),
    bytes: z.int().nonnegative(),
    browser: text(100),
  }),
)

/** What the product page may record. */
export const PRODUCT_METERS = [exports, storageBytes, inkDabs]
