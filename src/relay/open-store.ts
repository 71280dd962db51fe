import type { RelaySettings } from './config/resolve-config.ts'
import type { Log } from './log.ts'
import type { RelayStore } from './store/contract.ts'
import { openSqliteStore } from './store/sqlite/open-sqlite-store.ts'

interface OpenStoreOptions {
  readonly clock: () => number
  readonly log: Log
  readonly idempotencyWindowDays?: number
}

/** Opens the store that the configuration names. What speaks to PostgreSQL is loaded only where there is one. */
export function openStore({ store }: RelaySettings, options: OpenStoreOptions): RelayStore | Promise<RelayStore> {
  return 'sqlite' in store ? openSqliteStore({ ...options, path: store.sqlite }) : openPostgres(store, options)
}

async function openPostgres(
  { postgres: url, ...place }: Exclude<RelaySettings['store'], { sqlite: string }>,
  { log, ...options }: OpenStoreOptions,
): Promise<RelayStore> {
  const { openPostgresStore } = await import('./store/postgres/open-postgres-store.ts')
  const onIdleError = (error: Error): void => log('warn', 'store_connection_lost', { error })
  return openPostgresStore({ ...options, ...place, url, onIdleError })
}
