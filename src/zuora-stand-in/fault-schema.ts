import * as z from 'zod'
import type { Fault } from './contract.ts'

const count = z.int().nonnegative()
const shape = z.enum(['reasons', 'processId', 'oauth', 'message', 'html', 'empty']).exactOptional()
const flag = z.boolean().exactOptional()
const scope = {
  on: z.enum(['usage', 'token']).exactOptional(),
  meter: z.string().exactOptional(),
  times: count.exactOptional(),
  skip: count.exactOptional(),
  probability: z.number().min(0).max(1).exactOptional(),
}

const fault: z.ZodType<Fault> = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('connection-refused'), ...scope }),
  z.strictObject({
    kind: z.literal('slow'),
    delayMs: count,
    when: z.enum(['before', 'after']).exactOptional(),
    ...scope,
  }),
  z.strictObject({
    kind: z.literal('status'),
    status: z.int().min(400).max(599),
    body: shape,
    stored: flag,
    ...scope,
  }),
  z.strictObject({
    kind: z.literal('rate-limit'),
    retryAfter: z.union([z.number().nonnegative(), z.string()]).exactOptional(),
    asDate: flag,
    body: shape,
    ...scope,
  }),
  z.strictObject({ kind: z.literal('unauthorized'), revoke: flag, body: shape, ...scope }),
  z.strictObject({
    kind: z.literal('redirect'),
    location: z.string(),
    status: z.literal([301, 302, 303, 307, 308]).exactOptional(),
    ...scope,
  }),
  z.strictObject({ kind: z.literal('success-false'), stored: flag, ...scope }),
  z.strictObject({ kind: z.literal('answer-lost'), cut: z.enum(['all', 'body']).exactOptional(), ...scope }),
  z.strictObject({
    kind: z.literal('too-large'),
    maxBytes: count.exactOptional(),
    maxRows: count.exactOptional(),
    ...scope,
  }),
  z.strictObject({
    kind: z.literal('refuse-rows'),
    where: z.strictObject({ field: z.string(), equals: z.union([z.string(), z.number(), z.boolean()]) }),
    ...scope,
  }),
])

/** Throws ZodError for anything that is no list of rules: a misspelt rule must not pass for a quiet one. */
export function parseFaults(value: unknown): Fault[] {
  return z.array(fault).parse(value)
}
