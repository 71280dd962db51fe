/** Memory for bodies, shared by all requests, of which nobody can take everything. */
export interface Shares {
  /** One owner's part of it. */
  of(owner: string): Share
  used(): number
}

export interface Share {
  /** `own`: the owner holds as much as one may; `all`: nothing is left for anybody. Then nothing was taken. */
  take(bytes: number): 'taken' | 'own' | 'all'
  give(bytes: number): void
}

/** Makes a memory budget of totalBytes, of which one owner may hold perOwnerBytes. */
export function createShares(totalBytes: number, perOwnerBytes: number): Shares {
  const byOwner = new Map<string, number>()
  let used = 0

  function give(owner: string, bytes: number): void {
    used -= bytes
    const left = (byOwner.get(owner) ?? 0) - bytes
    if (left > 0) byOwner.set(owner, left)
    else byOwner.delete(owner)
  }

  return {
    of: (owner) => ({
      take(bytes) {
        const own = (byOwner.get(owner) ?? 0) + bytes
        if (own > perOwnerBytes) return 'own'
        if (used + bytes > totalBytes) return 'all'
        used += bytes
        byOwner.set(owner, own)
        return 'taken'
      },
      give: (bytes) => give(owner, bytes),
    }),
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
