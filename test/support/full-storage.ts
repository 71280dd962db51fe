import { vi } from 'vitest'

/**
 * From now on the browser grants no room: deletions work, every other write (`put`, or the given one) throws, which aborts
 * its transaction. Call what it returns to give the room back.
 */
export function fillStorage(write: 'put' | 'add' = 'put'): () => void {
  const full = vi.spyOn(IDBObjectStore.prototype, write).mockImplementation(() => {
    throw new DOMException('full', 'QuotaExceededError')
  })
  return () => full.mockRestore()
}
