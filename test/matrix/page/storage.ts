import { of } from './outbox.ts'

const FILLER = 'filler'
const SIZES = [4_194_304, 262_144, 16_384, 1_024] as const
const ROOM_BYTES = 1_048_576
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

async function openFiller(): Promise<IDBDatabase> {
  const request = indexedDB.open(FILLER, 1)
  request.onupgradeneeded = () => request.result.createObjectStore('noise', { autoIncrement: true })
  return of(request)
}

/** Writes noise until not even a small piece fits. @throws RangeError when no end is in sight. */
export async function fillStorage(): Promise<number> {
  const database = await openFiller()
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

/** Deletes the noise, and says whether the browser has given the room back: a database may take its time. */
export async function freeStorage(): Promise<boolean> {
  await of(indexedDB.deleteDatabase(FILLER))
  const database = await openFiller()
  const fits = await put(database, ROOM_BYTES)
  database.close()
  await of(indexedDB.deleteDatabase(FILLER))
  return fits
}
