import * as z from 'zod'
import type { Owner } from '../claims.ts'
import { isCleanText } from '../clean-text.ts'
import { MAX_GRANT_METERS } from './grant.ts'

const text = z.string().refine(isCleanText)

const ownerClaims = z.object({
  sub: text,
  device: text,
  meters: z.array(z.string().max(64)).max(MAX_GRANT_METERS),
  rate: z.int().min(1).max(1_000_000).optional(),
})

/** Whom a grant or a token is for; undefined when a claim is missing or does not fit. */
export function parseOwner(payload: unknown): Owner | undefined {
  const { data } = ownerClaims.safeParse(payload)
  if (data === undefined) return undefined
  const rate = data.rate === undefined ? {} : { ratePerMinute: data.rate }
  return { account: data.sub, device: data.device, meters: data.meters, ...rate }
}

/** The owner's claims as grants and tokens carry them, the subject apart. */
export function claimsOf({ device, meters, ratePerMinute }: Owner): Record<string, unknown> {
  return { device, meters: [...meters], ...(ratePerMinute === undefined ? {} : { rate: ratePerMinute }) }
}
