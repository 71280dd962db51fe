import type { ChunkOwner } from '../core/chunk-format.ts'

/** A chunk's row before it is written. */
export interface PackedChunk extends ChunkOwner {
  readonly count: number
  readonly spans: string
  readonly body: string
}

/** Its columns, in the order of meter, tenant, account, device, received_at_ms, count, spans, body. */
export const CHUNK_FIELDS: readonly ((row: PackedChunk) => unknown)[] = [
  (row) => row.meter,
  (row) => row.tenant,
  (row) => row.account,
  (row) => row.device,
  (row) => row.receivedAtMs,
  (row) => row.count,
  (row) => row.spans,
  (row) => row.body,
]
