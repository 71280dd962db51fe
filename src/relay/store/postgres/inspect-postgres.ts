import { openDatabase } from './database.ts'
import { cannotOpen } from './errors.ts'
import { versionOf } from './migrate.ts'
import { VERSION } from './schema.ts'

export interface Inspection {
  readonly summary?: string
  /** Why a relay of this version cannot work with it. */
  readonly problem: string | undefined
}

/** The oldest PostgreSQL that still gets security fixes. */
const MIN_SERVER = 140_000

/** Looks at a database and changes nothing. Errors: MetertapError bad_option or internal when there is no way in. */
export async function inspectPostgres({ url, schema }: { url: string; schema: string }): Promise<Inspection> {
  const database = openDatabase({ url, maxConnections: 1, onIdleError: () => {} })
  try {
    const version = await versionOf(database.read, schema)
    const [server] = await database.read<{ version: number; name: string; mayMake: boolean; isReadOnly: boolean }>(
      `SELECT current_setting('server_version_num')::int4 AS version, current_setting('server_version') AS name,
        has_database_privilege(current_database(), 'CREATE') AS "mayMake", pg_is_in_recovery() AS "isReadOnly"`,
    )
    if (!server || server.version < MIN_SERVER) return { problem: 'its PostgreSQL is too old: 14 or newer is needed' }
    if (server.isReadOnly) return { problem: 'it is a read-only replica: give the primary' }
    if (version > VERSION) return { problem: 'a newer metertap has migrated it: run that version' }
    if (version === 0 && !server.mayMake) {
      return { problem: 'its user may not make the schema: run "metertap relay migrate" as one who may' }
    }
    const state = version === VERSION ? `version ${version}` : 'to be migrated at the first start'
    return { summary: `server ${server.name}, ${state}`, problem: undefined }
  } catch (error) {
    throw cannotOpen(error)
  } finally {
    await database.end()
  }
}
