/** What the page asks of IndexedDB: transactions, requests by method and store, and rows that came back. */
export interface IdbTraffic {
  transactions: number
  /** `method store` → how often. */
  readonly requests: Map<string, number>
  /** Store → rows read: by cursor steps, get and getAll. */
  readonly rows: Map<string, number>
  reset(): void
}

const METHODS = ['get', 'getAll', 'getAllKeys', 'count', 'openCursor', 'put', 'add', 'delete'] as const

function add(tally: Map<string, number>, key: string, count = 1): void {
  tally.set(key, (tally.get(key) ?? 0) + count)
}

/** Watches all of this page's IndexedDB from now on. Call it before the outbox is first used. */
export function watchIdb(): IdbTraffic {
  const traffic: IdbTraffic = {
    transactions: 0,
    requests: new Map(),
    rows: new Map(),
    reset() {
      traffic.transactions = 0
      traffic.requests.clear()
      traffic.rows.clear()
    },
  }
  const transaction = IDBDatabase.prototype.transaction
  IDBDatabase.prototype.transaction = function (...args) {
    traffic.transactions++
    return transaction.apply(this, args)
  }
  for (const method of METHODS) {
    const original = IDBObjectStore.prototype[method] as (...args: unknown[]) => IDBRequest
    Object.assign(IDBObjectStore.prototype, {
      [method](this: IDBObjectStore, ...args: unknown[]) {
        add(traffic.requests, `${method} ${this.name}`)
        const request = original.apply(this, args)
        if (method.startsWith('get') || method === 'openCursor') countRows(traffic, this.name, request)
        return request
      },
    })
  }
  return traffic
}

/** A cursor's request succeeds once for each row. */
function countRows(traffic: IdbTraffic, store: string, request: IDBRequest): void {
  request.addEventListener('success', () => {
    const { result } = request
    add(traffic.rows, store, Array.isArray(result) ? result.length : result ? 1 : 0)
  })
}
