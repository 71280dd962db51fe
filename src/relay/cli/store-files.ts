import { readFileSync } from 'node:fs'
import { resolveConfig } from '../config/resolve-config.ts'
import { openSqliteStore } from '../store/sqlite/open-sqlite-store.ts'
import { verifyStore } from '../store/sqlite/verify-store.ts'
import type { CliHost } from './host.ts'
import { loadConfig } from './load-config.ts'

/** Copies the store while the relay works on. Errors: MetertapError bad_option. */
export async function backUpStore(
  command: { readonly config: string; readonly file: string },
  host: CliHost,
): Promise<void> {
  const config = await loadConfig(command.config, host)
  const readFile = (path: string): string => readFileSync(path, 'utf8')
  const { store: place } = resolveConfig(config, { environment: host.environment, readFile })
  const store = openSqliteStore({ path: place.sqlite, clock: host.clock })
  try {
    await store.backup(command.file)
  } finally {
    await store.close()
  }
  host.writeOut(`copied ${place.sqlite} to ${command.file}\n`)
}

/** Checks a store or a backup, and says what is wrong with it. True when nothing is. Errors: MetertapError bad_option. */
export async function verifyFile(file: string, host: CliHost): Promise<boolean> {
  const { ok, problems, streams, eventsOnTheWay } = await verifyStore(file)
  for (const problem of problems) host.writeOut(`${problem}\n`)
  host.writeOut(`${ok ? 'ok' : 'failed'}: ${streams} streams, ${eventsOnTheWay} events on their way\n`)
  return ok
}
