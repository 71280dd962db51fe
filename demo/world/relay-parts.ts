import { join } from 'node:path'
import type { RelayOptions } from '../../src/relay.ts'
import { METER_ROUTES } from './meter-routes.ts'

/** What the demo's relay has to know, as plain data: it may cross to another process. */
export interface RelayParts {
  /** Folder of its database. */
  readonly folder: string
  /** The upstream's address, and the client that it knows. */
  readonly restBase: string
  readonly clientId: string
  readonly clientSecret: string
  /** The address that browsers reach the relay by, and the origin of the pages that may. */
  readonly publicUrl: string
  readonly siteOrigin: string
  readonly adminKey: string
  readonly grant: { readonly keyId: string; readonly secret: string }
  /** Longest wait for one call upstream, ms; short ones make short leases after a kill. Default: the relay's own. */
  readonly timeoutMs?: number
}

/** A relay that runs somewhere; its addresses stay for as long as it is in use. */
export interface RelayHost {
  readonly url: string
  /** The address of its operator API. */
  readonly adminUrl: string
  stop(): Promise<void>
}

/** The demo replays logs that are years old. */
const MAX_EVENT_AGE_MS = 30 * 365 * 86_400_000

/** The configuration of the demo's relay, on free ports. */
export function relayOptions(parts: RelayParts): RelayOptions {
  const { folder, restBase, clientId, clientSecret, publicUrl, siteOrigin, adminKey, grant, timeoutMs } = parts
  const patience = timeoutMs === undefined ? {} : { timeoutMs }
  return {
    publicUrl,
    listen: { port: 0 },
    store: { sqlite: join(folder, 'relay.db') },
    meters: METER_ROUTES,
    upstream: { restBase, clientId, clientSecret, ...patience },
    grants: [grant],
    origins: [siteOrigin],
    admin: { key: adminKey, listen: { port: 0 } },
    limits: { maxEventAgeMs: MAX_EVENT_AGE_MS },
  }
}
