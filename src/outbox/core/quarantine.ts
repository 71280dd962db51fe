import type { Range } from '../../wire/contract.ts'
import { depart } from './accounting.ts'
import { noProgress } from './progress.ts'
import { isHead, isHidden, isProgress, isSegment, rollupDamage, segmentDamage } from './sound-rows.ts'
import { type Stray, streamRows } from './state.ts'
import type { Progress, Tables } from './tables.ts'

/** The drop reason of numbers whose events were found damaged. */
export const CORRUPT = 'corrupt'

/**
 * Sets damaged rows aside and counts their numbers, where they are known, as dropped. A row that is gone or sound by
 * now is left alone, so two tabs may do this at once.
 */
export async function quarantineIn(tables: Tables, strays: readonly Stray[], nowMs: number): Promise<void> {
  const { heads, progress } = await streamRows(tables)
  const recorded = new Map(heads.map((head) => [head.stream, head.recorded]))
  const drafts = new Map<string, Progress>()
  for (const { store, reason, row: found } of strays) {
    const row = await tables.sameRow(store, found)
    if (row === undefined || !isDamaged(store, row, recorded)) continue
    tables.quarantine({ store, reason, row, foundAtMs: nowMs })
    const lost = await numbersOf(tables, store, row, recorded)
    if (!lost) continue
    const { stream, range, bytes } = lost
    const draft = drafts.get(stream) ?? progress.get(stream) ?? noProgress(stream)
    const left = depart(draft, ...range, { dropped: CORRUPT })
    drafts.set(stream, { ...left.progress, goneBytes: left.progress.goneBytes + bytes })
  }
  for (const draft of drafts.values()) tables.putProgress({ ...draft, changedAtMs: nowMs })
}

function isDamaged(store: Stray['store'], row: unknown, recorded: ReadonlyMap<string, number>): boolean {
  if (store === 'segments') return segmentDamage(row) !== undefined || !recorded.has((row as { stream: string }).stream)
  if (store === 'rollups') return rollupDamage(row) !== undefined
  const isSound = { streams: isHead, progress: isProgress, hidden: isHidden }[store]
  return !isSound(row)
}

/** The numbers whose events a damaged row stood for: no more than were given out, nor than lie before the next row. */
async function numbersOf(
  tables: Tables,
  store: Stray['store'],
  row: unknown,
  recorded: ReadonlyMap<string, number>,
): Promise<{ stream: string; range: Range; bytes: number } | undefined> {
  if (store === 'rollups') {
    const { stream, seq } = row as { stream: unknown; seq: unknown }
    if (typeof stream !== 'string' || !Number.isSafeInteger(seq)) return undefined
    return { stream, range: [seq as number, seq as number], bytes: 0 }
  }
  if (store !== 'segments' || !isSegment(row)) return undefined
  const { stream, first, count, bytes } = row
  const [next] = count > 1 ? await tables.segmentsWithin(stream, first + 1, first + count - 1) : []
  const behind = Math.min(first + count, next?.first ?? Number.POSITIVE_INFINITY, recorded.get(stream) ?? first + count)
  return behind > first ? { stream, range: [first, behind - 1], bytes } : undefined
}
