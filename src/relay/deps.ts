import type { SecretSources } from './config/fill-secrets.ts'
import type { RelaySettings } from './config/resolve-config.ts'
import type { Forwarder } from './forward/contract.ts'
import type { Log } from './log.ts'
import type { Siblings } from './operate/siblings.ts'
import type { Tracer } from './operate/tracing.ts'
import type { Reconciler } from './reconcile/contract.ts'
import type { RelayStore } from './store/contract.ts'

/** What the relay takes from outside; every one has a default. */
export interface RelayDeps extends SecretSources {
  /** Wall clock, ms since 1970. Default Date.now. */
  readonly clock: () => number
  /** 0 ≤ random() < 1, for backoff. Default Math.random. */
  readonly random: () => number
  /** Default crypto.randomUUID. */
  readonly uuid: () => string
  /** Calls the upstream and the session issuers' key sets. Default the global fetch. */
  readonly fetch: typeof fetch
  /** Default: nothing is logged. */
  readonly log: Log
  /** Default: the one of the application's OpenTelemetry, which does nothing without an SDK. */
  readonly tracer: Tracer
  /** Free bytes of the disk that a file is on. Default: the system's. */
  readonly freeDiskBytes: (path: string) => Promise<number>
  /** Default: SQLite or PostgreSQL, where the configuration says. The relay closes it. */
  readonly openStore: (settings: RelaySettings) => RelayStore | Promise<RelayStore>
  /** Default: the forwarder to Zuora. */
  readonly createForwarder: (store: RelayStore, settings: RelaySettings) => Forwarder
  /** Default: the reconciler with Zuora. */
  readonly createReconciler: (store: RelayStore, settings: RelaySettings) => Reconciler
  /** The processes that share this one's port, whose metrics it gives with its own. Default: there are none. */
  readonly siblings?: Siblings
}
