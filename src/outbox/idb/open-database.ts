import { wrap } from 'idb'
import { unavailable } from './errors.ts'
import { createStores, type Database, SCHEMA_VERSION } from './schema.ts'

/**
 * Opens the database over the given factory; `lost` is called when the browser closes the connection or another tab
 * wants to upgrade or delete the database. (idb's own openDB knows only the global factory.)
 */
export function openDatabase(
  factory: IDBFactory | undefined,
  name: string,
  lost: (database: Database) => void,
): Promise<Database> {
  return new Promise((resolve, reject) => {
    if (!factory) throw unavailable('there is no IndexedDB here.')
    const request = openRequest(factory, name)
    let givenUp = false
    request.addEventListener('upgradeneeded', () => createStores(request.result))
    request.addEventListener('blocked', () => {
      givenUp = true
      reject(unavailable('another tab holds an older version of it open and must be closed or reloaded.'))
    })
    request.addEventListener('error', () => reject(unavailable(openFailure(request.error), request.error)))
    request.addEventListener('success', () => {
      if (givenUp) return request.result.close()
      const database = wrap(request.result) as unknown as Database
      request.result.addEventListener('close', () => lost(database))
      request.result.addEventListener('versionchange', () => lost(database))
      resolve(database)
    })
  })
}

function openRequest(factory: IDBFactory, name: string): IDBOpenDBRequest {
  try {
    return factory.open(name, SCHEMA_VERSION)
  } catch (error) {
    throw unavailable('this page may not use it (storage is blocked, or its origin is opaque).', error)
  }
}

function openFailure(error: DOMException | null): string {
  if (error?.name === 'VersionError') return 'a newer version of this software has upgraded it; reload the page.'
  if (error?.name === 'QuotaExceededError') return 'the browser grants this site no storage.'
  return `opening it failed (${error?.name ?? 'no reason given'}).`
}
