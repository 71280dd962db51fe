import { hasLeft } from './accounting.ts'
import type { Draft } from './settle-row.ts'
import type { Tables } from './tables.ts'
import type { Run } from './verdicts.ts'

/**
 * A relay holds these numbers, so those of them that became dead letters are none: it, or what stood before it, refused
 * them once and has taken them since, from a repeated send. Reads only where a number of the run has left already.
 */
export async function raiseDead(tables: Tables, stream: string, draft: Draft, { from, to }: Run): Promise<void> {
  for (let seq = from; seq <= to && draft.progress.dead > 0; seq++) {
    if (!hasLeft(draft.progress, seq) || !(await tables.dead(stream, seq))) continue
    tables.deleteDead(stream, seq)
    draft.progress = { ...draft.progress, settled: draft.progress.settled + 1, dead: draft.progress.dead - 1 }
    draft.received++
  }
}
