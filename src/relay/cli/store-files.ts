import { readFileSync } from 'node:fs'
import { type RelaySettings, resolveConfig } from '../config/resolve-config.ts'
import { openStore } from '../open-store.ts'
import type { StoreVerdict } from '../store/core/verdict.ts'
import { verifyStore } from '../store/sqlite/verify-store.ts'
import type { CliHost } from './host.ts'
import { loadConfig } from './load-config.ts'

/** Copies the store while the relay works on. Errors: MetertapError bad_option. */
export async function backUpStore(
  command: { readonly config: string; readonly file: string },
  host: CliHost,
): Promise<void> {
  const settings = await readSettings(command.config, host)
  const store = await openStore(settings, { clock: host.clock, log: () => {} })
  try {
    await store.backup(command.file)
  } finally {
    await store.close()
  }
  host.writeOut(`copied the store to ${command.file}\n`)
}

/**
 * Checks a backup's file, or the store of the configuration, and says what is wrong with it. True when nothing is.
 * Errors: MetertapError bad_option.
 */
export async function verify(
  { file, config }: { readonly file: string | undefined; readonly config: string },
  host: CliHost,
): Promise<boolean> {
  const verdict = file === undefined ? verifyConfigured(await readSettings(config, host)) : verifyStore(file)
  const { ok, problems, streams, eventsOnTheWay } = await verdict
  for (const problem of problems) host.writeOut(`${problem}\n`)
  host.writeOut(`${ok ? 'ok' : 'failed'}: ${streams} streams, ${eventsOnTheWay} events on their way\n`)
  return ok
}

/** Brings the database to this version, before relays of this version start. Errors: MetertapError bad_option. */
export async function migrate(path: string, host: CliHost): Promise<void> {
  const { store } = await readSettings(path, host)
  if ('sqlite' in store) {
    host.writeOut('nothing to do: a SQLite file is migrated by the relay that opens it\n')
    return
  }
  const { migratePostgresStore } = await import('../store/postgres/migrate-postgres-store.ts')
  const { from, to } = await migratePostgresStore({ ...store, url: store.postgres })
  host.writeOut(from === to ? `nothing to do: version ${to}\n` : `migrated from version ${from} to ${to}\n`)
}

async function verifyConfigured({ store }: RelaySettings): Promise<StoreVerdict> {
  if ('sqlite' in store) return verifyStore(store.sqlite)
  const { verifyPostgresStore } = await import('../store/postgres/verify-postgres-store.ts')
  return verifyPostgresStore({ ...store, url: store.postgres })
}

export async function readSettings(path: string, host: CliHost): Promise<RelaySettings> {
  const config = await loadConfig(path, host)
  const readFile = (file: string): string => readFileSync(file, 'utf8')
  return resolveConfig(config, { environment: host.environment, readFile })
}
