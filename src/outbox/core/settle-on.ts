import type { Settled, Settlement } from '../contract.ts'
import { claimFrom } from './claim.ts'
import { totalsFrom } from './overview.ts'
import { settleIn } from './settle.ts'
import type { Stray } from './state.ts'
import type { Tables } from './tables.ts'

/** A settlement, and the damaged rows that the claim after it met. */
export interface SettledOn {
  readonly settled: Settled
  readonly strays: readonly Stray[]
}

/** See Outbox.settle: settles, and in the same transaction counts and claims, as the settlement asks. */
export async function settleOn(tables: Tables, settlement: Settlement, retireAfterMs: number): Promise<SettledOn> {
  const { counted = false, next } = settlement
  const { settled, rows } = await settleIn(tables, settlement, retireAfterMs)
  const [claimed, deadLetters] = await Promise.all([
    next && claimFrom(tables, { ...next, leaseMs: 0 }, rows),
    counted ? tables.deadCount() : undefined,
  ])
  const { claim, strays = [] } = claimed ?? {}
  // Reports alone would not tell yet of what is set aside now.
  const isNext = claim && (claim.segments.length > 0 || strays.length === 0)
  return {
    settled: {
      ...settled,
      ...(deadLetters !== undefined && { totals: totalsFrom(rows, deadLetters) }),
      ...(isNext && { next: claim }),
    },
    strays,
  }
}
