/** A factory over the global one that keeps the raw connections, so that a test can look into them, or break them. */
export interface RawIdb {
  readonly factory: IDBFactory
  readonly opened: IDBDatabase[]
  /** Rows of a store, read past the outbox. */
  countIn(store: string): Promise<number>
}

export function rawIdb(): RawIdb {
  const opened: IDBDatabase[] = []
  const factory = {
    open(name: string, version?: number) {
      const request = indexedDB.open(name, version)
      request.addEventListener('success', () => opened.push(request.result))
      return request
    },
  } as IDBFactory
  return {
    factory,
    opened,
    countIn(store) {
      const request = (opened[0] as IDBDatabase).transaction(store).objectStore(store).count()
      return new Promise((resolve) => request.addEventListener('success', () => resolve(request.result)))
    },
  }
}
