/** Each shard numbers its own dead letters; to the operator they have one number each, whatever shard they are in. */
export interface LetterIds {
  toGlobal(local: number, shard: number): number
  toLocal(id: number): number
  shardOf(id: number): number
  /** The shard's first number that is not before `id`: a page ends there. */
  firstNotBefore(id: number, shard: number): number
}

export function createLetterIds(shards: number): LetterIds {
  return {
    toGlobal: (local, shard) => local * shards + shard,
    toLocal: (id) => Math.floor(id / shards),
    shardOf: (id) => id % shards,
    firstNotBefore: (id, shard) => Math.ceil((id - shard) / shards),
  }
}
