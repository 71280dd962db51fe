import { gzipSync } from 'node:zlib'
import { bucketsOf } from './call-budget.ts'
import { CALL_LIMITS } from './call-limits.ts'
import type { Forwarder, ForwarderOptions } from './contract.ts'
import { createForwarderWith, type ForwarderParts } from './forwarder.ts'
import { createSlicedBudget } from './sliced-budget.ts'

/**
 * Sends stored events to Zuora Mediation, one lane per meter, and settles them by what it answers. Events so old that
 * the upstream's Deduplicator may have forgotten them when a retry comes go one by one through a lane of their own.
 * No answer loses an event: it is accepted, buried with its reason, or still in the store.
 *
 * @throws MetertapError bad_option when a meter's upload URL is on another host than restBase
 * @example
 * const forwarder = createForwarder({ store, routes, upstream, owner: crypto.randomUUID(), clock: Date.now,
 *   random: Math.random, fetch, log })
 * forwarder.start()
 */
export function createForwarder(options: ForwarderOptions): Forwarder {
  return createForwarderWith({ gzip: gzipSync, ...sharedParts(options), ...options })
}

/** A slice is this part of what a bucket can give at once, so that some relays can have one at a time. */
const SLICE_SHARE = 0.05
const MAX_SLICE_CALLS = 64
/** The upstream allows 100 a minute from one address: four fifths of that in any minute, should all relays have one. */
const TOKEN_REQUESTS = { capacity: 40, perMs: 40 / 60_000 }

/** Of relays that share a store all together may make the upstream's calls, and ask it for tokens. */
function sharedParts({ store, upstream, clock }: ForwarderOptions): Pick<ForwarderParts, 'budget' | 'tokenTurns'> {
  if (store.sharedCalls === undefined) return {}
  const host = new URL(upstream.restBase).host
  const buckets = bucketsOf(CALL_LIMITS[upstream.environment ?? 'production'].calls)
  const own = buckets.map((bucket) => ({ ...bucket, name: `${host} ${bucket.name}` }))
  const least = Math.min(...buckets.map(({ capacity }) => capacity))
  const slice = Math.max(1, Math.min(MAX_SLICE_CALLS, Math.floor(least * SLICE_SHARE)))
  return {
    budget: createSlicedBudget(store.sharedCalls(own), clock, slice),
    tokenTurns: store.sharedCalls([{ name: `${host} token requests`, ...TOKEN_REQUESTS }]),
  }
}
