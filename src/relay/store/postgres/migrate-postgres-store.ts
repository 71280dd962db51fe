import { openDatabase } from './database.ts'
import { cannotOpen } from './errors.ts'
import { type Migration, migrate } from './migrate.ts'

/**
 * Brings the database to this code's version; a relay does it by itself where it may. Any number of processes may try
 * at once.
 *
 * @throws MetertapError bad_option when the database cannot be used or is newer, internal when it cannot be reached
 * @example const { from, to } = await migratePostgresStore({ url: 'postgres://owner:secret@db.internal/usage' })
 */
export async function migratePostgresStore(options: { url: string; schema?: string }): Promise<Migration> {
  const { url, schema = 'metertap' } = options
  const database = openDatabase({ url, maxConnections: 1, onIdleError: () => {} })
  try {
    return await migrate(database, schema)
  } catch (error) {
    throw cannotOpen(error)
  } finally {
    await database.end()
  }
}
