const FNV_OFFSET = 0x811c9dc5
const FNV_PRIME = 0x01000193

/** The shard of an account: the same for ever as long as their number stays. FNV-1a over the names, mixed once more. */
export function shardOf(shards: number, tenant: string, account: string): number {
  let hash = FNV_OFFSET
  for (const byte of new TextEncoder().encode(JSON.stringify([tenant, account]))) {
    hash = Math.imul(hash ^ byte, FNV_PRIME)
  }
  hash ^= hash >>> 16
  return (Math.imul(hash, 0x85ebca6b) >>> 0) % shards
}
