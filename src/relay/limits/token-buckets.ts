import { LRUCache } from 'lru-cache'

/** What became of one request at a bucket. */
export interface Draw {
  readonly isAllowed: boolean
  /** Requests that may still come at once. */
  readonly remaining: number
  /** How long until the next one may come (when refused) or until the bucket is full, ms. */
  readonly waitMs: number
}

export interface TokenBuckets {
  /** Takes one from the key's bucket. It holds a minute's worth and fills evenly. */
  draw(key: string, perMinute: number, nowMs: number): Draw
}

interface Bucket {
  level: number
  atMs: number
}

const MINUTE_MS = 60_000

/**
 * One token bucket per key. The least recently used are forgotten beyond maxKeys, so that nobody fills the memory with
 * new keys; a forgotten bucket is full again.
 */
export function createTokenBuckets(maxKeys: number): TokenBuckets {
  const buckets = new LRUCache<string, Bucket>({ max: maxKeys })
  return {
    draw(key, perMinute, nowMs) {
      const bucket = buckets.get(key) ?? { level: perMinute, atMs: nowMs }
      const filled = bucket.level + (Math.max(0, nowMs - bucket.atMs) * perMinute) / MINUTE_MS
      const level = Math.min(perMinute, filled)
      const isAllowed = level >= 1
      const left = isAllowed ? level - 1 : level
      buckets.set(key, { level: left, atMs: nowMs })
      const missing = isAllowed ? perMinute - left : 1 - left
      return { isAllowed, remaining: Math.floor(left), waitMs: (missing * MINUTE_MS) / perMinute }
    },
  }
}
