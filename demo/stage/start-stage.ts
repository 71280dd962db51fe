import { openWorld, type Surroundings, type WorldOptions } from '../world/open-world.ts'
import { openRelayProcess, type RelayProcess } from '../world/relay-process.ts'
import { createStage } from './routes.ts'

/** The world with a relay that can be killed, and with the stage's controls on the product page. */
export interface Stage extends Surroundings {
  readonly relay: RelayProcess
}

export interface StageOptions extends WorldOptions {
  /** How long a killed relay stays dead, ms. Default 15,000. */
  readonly restartAfterMs?: number
}

/** What a killed relay had in flight is taken up by the next one after the call's lease, which follows this. */
const UPSTREAM_TIMEOUT_MS = 2_000

/**
 * Starts the stage on the loopback.
 *
 * @example
 * const stage = await startStage()
 * await stage.relay.kill()
 * await stage.close()
 */
export async function startStage({ restartAfterMs = 15_000, ...options }: StageOptions = {}): Promise<Stage> {
  const { host, ...world } = await openWorld(options, {
    openRelay: (parts) => openRelayProcess({ ...parts, timeoutMs: UPSTREAM_TIMEOUT_MS }, { restartAfterMs }),
    addRoutes: createStage,
  })
  return { ...world, relay: host }
}
