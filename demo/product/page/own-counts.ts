/** What this browser has used, by the product's own count: it knows nothing of what the agent does with it. */
export interface OwnCounts {
  add(meter: string, quantity: number): void
  /** Of all tabs of this browser, closed ones too. */
  sum(meter: string): number
}

/** Each tab writes a line of its own, so that tabs do not overwrite each other. `scope` names world and account. */
export function createOwnCounts(storage: Storage, scope: string, tab: string): OwnCounts {
  const prefix = (meter: string): string => `${scope}/${meter}/`
  return {
    add(meter, quantity) {
      const key = prefix(meter) + tab
      storage.setItem(key, String(Number(storage.getItem(key) ?? 0) + quantity))
    },
    sum(meter) {
      const keys = Array.from({ length: storage.length }, (_, index) => storage.key(index) ?? '')
      return keys
        .filter((key) => key.startsWith(prefix(meter)))
        .reduce((sum, key) => sum + Number(storage.getItem(key)), 0)
    },
  }
}
