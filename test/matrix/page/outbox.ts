import type { HeldRun } from '../contract.ts'

/** One request's result. */
export function of<T>(request: IDBRequest<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result)
    request.onerror = () => reject(request.error)
  })
}

/** The outbox's own rows, read past the agent: a second witness of what is durable. */
export async function held(outbox: string): Promise<HeldRun[]> {
  // Opening would create it.
  if (!(await indexedDB.databases()).some(({ name }) => name === outbox)) return []
  const database = await of(indexedDB.open(outbox))
  try {
    if (!database.objectStoreNames.contains('segments')) return []
    const rows = await of(database.transaction('segments').objectStore('segments').getAll())
    return rows.map(({ stream, first, count }) => [stream, first, count])
  } finally {
    database.close()
  }
}

/** Another connection asks for a newer version, so every other one has to close; the upgrade is then given up. */
export async function upgrade(outbox: string): Promise<void> {
  const request = indexedDB.open(outbox, 1_000)
  request.onupgradeneeded = () => request.transaction?.abort()
  const database = await of(request).catch(() => undefined)
  database?.close()
}
