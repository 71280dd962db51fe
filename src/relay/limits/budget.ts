/** A shared amount, of bytes or of places. */
export interface Budget {
  /** Takes it, or says that there is not enough left. */
  take(amount: number): boolean
  give(amount: number): void
  used(): number
}

export function createBudget(total: number): Budget {
  let used = 0
  return {
    take(amount) {
      if (used + amount > total) return false
      used += amount
      return true
    },
    give(amount) {
      used -= amount
    },
    used: () => used,
  }
}

/** How many are inside, by key; a key is forgotten when its last one leaves. */
export interface Places {
  /** False when the key has all its places taken. */
  enter(key: string): boolean
  leave(key: string): void
}

export function createPlaces(perKey: number): Places {
  const inside = new Map<string, number>()
  return {
    enter(key) {
      const count = inside.get(key) ?? 0
      if (count >= perKey) return false
      inside.set(key, count + 1)
      return true
    },
    leave(key) {
      const count = inside.get(key) ?? 0
      if (count > 1) inside.set(key, count - 1)
      else inside.delete(key)
    },
  }
}
