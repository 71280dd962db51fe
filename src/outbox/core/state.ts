import type { Hidden, Quarantined, StreamHead } from '../contract.ts'
import { isHead, isHidden, isProgress } from './sound-rows.ts'
import { byStream, type Progress, type Tables } from './tables.ts'

/** A row that cannot be relied on. */
export type Stray = Pick<Quarantined, 'store' | 'reason' | 'row'>

/** The streams' rows, a few hundred bytes each; those that are sound. */
export interface StreamRows {
  readonly heads: readonly StreamHead[]
  readonly progress: ReadonlyMap<string, Progress>
}

/** As they were found, with those that are not sound. */
export interface FoundRows extends StreamRows {
  readonly strays: readonly Stray[]
}

export async function streamRows(tables: Tables): Promise<FoundRows> {
  const [heads, progress] = await Promise.all([tables.heads(), tables.progress()])
  const strays: Stray[] = []
  return {
    heads: sound('streams', heads, isHead, strays),
    progress: byStream(sound('progress', progress, isProgress, strays)),
    strays,
  }
}

export async function hiddenRows(tables: Tables): Promise<{ hidden: Hidden[]; strays: Stray[] }> {
  const strays: Stray[] = []
  return { hidden: sound('hidden', await tables.hidden(), isHidden, strays), strays }
}

function sound<Row>(store: Stray['store'], rows: Row[], isSound: (row: unknown) => boolean, strays: Stray[]): Row[] {
  for (const row of rows) if (!isSound(row)) strays.push({ store, reason: 'fields', row })
  return strays.length === 0 ? rows : rows.filter(isSound)
}
