/** Raise it with a migration in createStores(); never change what an older version wrote. */
export const SCHEMA_VERSION = 1

export type Store = 'segments' | 'streams' | 'progress' | 'hidden' | 'dead' | 'rollups' | 'quarantine' | 'meta'

export function createStores(database: IDBDatabase): void {
  database.createObjectStore('segments', { keyPath: ['stream', 'first'] })
  database.createObjectStore('streams', { keyPath: 'stream' })
  database.createObjectStore('progress', { keyPath: 'stream' })
  database.createObjectStore('hidden', { keyPath: ['stream', 'first'] })
  database.createObjectStore('dead', { keyPath: ['stream', 'seq'] })
  database.createObjectStore('rollups', { keyPath: ['stream', 'seq'] })
  database.createObjectStore('quarantine', { autoIncrement: true })
  database.createObjectStore('meta')
}
