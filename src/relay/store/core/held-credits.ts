import { type ChunkRow, pieces } from './chunk-format.ts'
import type { Credit } from './outcomes.ts'

type ChunkHead = Pick<ChunkRow, 'id' | 'tenant' | 'account' | 'meter' | 'count' | 'spans'>

/** Whose events a whole chunk holds. */
export function creditsOf({ id, tenant, account, meter, count: all, spans }: ChunkHead): Credit[] {
  return [...pieces(spans, [[id, 0, all]])].map(({ stream, count }) => ({ tenant, account, meter, stream, count }))
}
