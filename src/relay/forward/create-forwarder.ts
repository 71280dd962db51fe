import { gzipSync } from 'node:zlib'
import type { Forwarder, ForwarderOptions } from './contract.ts'
import { createForwarderWith } from './forwarder.ts'

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
  return createForwarderWith({ gzip: gzipSync, ...options })
}
