import type { HeldRun } from '../contract.ts'

/** One request's result. */
function of<T>(request: IDBRequest<T>): Promise<T> {
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

const FILLER = 'filler'
const SIZES = [4_194_304, 262_144, 16_384, 1_024] as const
const MAX_FILL_BYTES = 512 * 1_048_576

function put(database: IDBDatabase, bytes: number): Promise<boolean> {
  const noise = new Uint8Array(bytes)
  // Databases compress: only noise takes the room that it says.
  for (let start = 0; start < bytes; start += 65_536) {
    crypto.getRandomValues(noise.subarray(start, Math.min(start + 65_536, bytes)))
  }
  return new Promise((resolve) => {
    const transaction = database.transaction('noise', 'readwrite')
    transaction.oncomplete = () => resolve(true)
    transaction.onabort = () => resolve(false)
    transaction.objectStore('noise').add(noise)
  })
}

/** After a refusal, Firefox lets the next transaction do nothing but delete: this is that one. */
function deleteNothing(database: IDBDatabase): Promise<void> {
  return new Promise((resolve) => {
    const transaction = database.transaction('noise', 'readwrite')
    transaction.objectStore('noise').delete(0)
    transaction.oncomplete = () => resolve()
  })
}

/** Writes noise until not even a small piece fits. @throws RangeError when no end is in sight. */
export async function fillStorage(): Promise<number> {
  const request = indexedDB.open(FILLER, 1)
  request.onupgradeneeded = () => request.result.createObjectStore('noise', { autoIncrement: true })
  const database = await of(request)
  let filled = 0
  try {
    for (const bytes of SIZES) {
      while (await put(database, bytes)) {
        filled += bytes
        if (filled > MAX_FILL_BYTES) throw new RangeError(`${filled} bytes fit: this storage has no limit.`)
      }
      await deleteNothing(database)
    }
    return filled
  } finally {
    database.close()
  }
}

export async function freeStorage(): Promise<void> {
  await of(indexedDB.deleteDatabase(FILLER))
}
