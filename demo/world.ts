import { createRelay, type Relay } from '../src/relay.ts'
import { openWorld, type Surroundings, type WorldOptions } from './world/open-world.ts'
import { type RelayHost, type RelayParts, relayOptions } from './world/relay-parts.ts'

/** Everything that is needed between a click and a bill, in one process. */
export interface World extends Surroundings {
  readonly relay: Relay
  /** The relay's own address. */
  readonly relayUrl: string
  /** The address of the relay's operator API; it wants `adminKey`. */
  readonly adminUrl: string
}

interface Neighbour extends RelayHost {
  readonly relay: Relay
}

async function openRelay(parts: RelayParts): Promise<Neighbour> {
  const relay = await createRelay(relayOptions(parts))
  try {
    const { url, adminUrl = '' } = await relay.start()
    return { relay, url, adminUrl, stop: () => relay.stop() }
  } catch (error) {
    await relay.stop()
    throw error
  }
}

/**
 * Starts the stand-in for Zuora, the relay and the product with its back end, all on the loopback.
 *
 * @example
 * const world = await startWorld()
 * console.log(world.pageUrl)
 * await world.close()
 */
export async function startWorld(options: WorldOptions = {}): Promise<World> {
  const { host, ...world } = await openWorld(options, { openRelay })
  return { ...world, relay: host.relay, relayUrl: host.url, adminUrl: host.adminUrl }
}
