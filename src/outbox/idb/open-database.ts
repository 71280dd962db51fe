import { unavailable } from './errors.ts'
import { createStores, SCHEMA_VERSION } from './schema.ts'

/** Calls back after a delay; the function it gives cancels that. */
export type SetTimer = (callback: () => void, delayMs: number) => () => void

export interface OpenDatabaseOptions {
  readonly indexedDB: IDBFactory | undefined
  readonly name: string
  /** Without it, nothing limits the waiting for an answer, and a blocked upgrade is not waited for. */
  readonly setTimer?: SetTimer | undefined
}

/** Some browsers, at times, never answer an open request. */
const MAX_OPEN_MS = 10_000
/** A tab with an older version of the database closes it when it is told to; a frozen one cannot be told. */
const MAX_BLOCKED_MS = 3_000

const SILENT = 'the browser did not answer for 10 seconds. Reload the page, or restart the browser.'
const BLOCKED = 'another tab holds an older version open. Close or reload it.'

/** Opens the database over the given factory: bare, since the write path needs no more. */
export async function openDatabase(
  { indexedDB, name, setTimer }: OpenDatabaseOptions,
  /** Called when the browser closes the connection, or another tab wants to upgrade or delete the database. */
  lost: (database: IDBDatabase) => void,
): Promise<IDBDatabase> {
  if (!indexedDB) throw unavailable('there is no IndexedDB here.')
  const request = openRequest(indexedDB, name)
  const cancels: (() => void)[] = []
  try {
    const database = await answerTo(request, setTimer, cancels)
    for (const type of ['close', 'versionchange']) database.addEventListener(type, () => lost(database))
    return database
  } catch (error) {
    // It may still be opened: nobody would close it, and it would block another tab's upgrade.
    request.addEventListener('success', () => request.result.close())
    throw error
  } finally {
    for (const cancel of cancels) cancel()
  }
}

function answerTo(
  request: IDBOpenDBRequest,
  setTimer: SetTimer | undefined,
  cancels: (() => void)[],
): Promise<IDBDatabase> {
  return new Promise((resolve, reject) => {
    const giveUp = (reason: string) => () => reject(unavailable(reason))
    if (setTimer) cancels.push(setTimer(giveUp(SILENT), MAX_OPEN_MS))
    request.addEventListener('upgradeneeded', () => createStores(request.result))
    request.addEventListener('blocked', () => {
      if (setTimer) cancels.push(setTimer(giveUp(BLOCKED), MAX_BLOCKED_MS))
      else giveUp(BLOCKED)()
    })
    request.addEventListener('error', () => reject(unavailable(openFailure(request.error), request.error)))
    request.addEventListener('success', () => resolve(request.result))
  })
}

function openRequest(factory: IDBFactory, name: string): IDBOpenDBRequest {
  try {
    return factory.open(name, SCHEMA_VERSION)
  } catch (error) {
    throw unavailable('storage is blocked, or the page’s origin is opaque.', error)
  }
}

function openFailure(error: DOMException | null): string {
  if (error?.name === 'VersionError') return 'a newer version has upgraded it. Reload the page.'
  if (error?.name === 'QuotaExceededError') return 'the browser grants this site no storage.'
  return `opening it failed (${error?.name ?? 'no reason given'}).`
}
