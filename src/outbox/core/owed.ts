import type { Segment, Settlement } from '../contract.ts'
import { acknowledge } from './accounting.ts'
import { noProgress } from './progress.ts'
import { settleWhole } from './settle-row.ts'
import { byStream, type Progress, type Tables } from './tables.ts'
import { runsOf, verdictsOf } from './verdicts.ts'

/**
 * The deletions of a settlement without its writes: lets go of the segments that a relay holds whole, and gives back the
 * settlement that is still to be counted. Every other segment of the claim stays as it was.
 */
export function letGoIn(tables: Tables, settlement: Settlement): Settlement {
  const segments = settlement.claim.segments.filter((segment) => isReceivedWhole(segment, settlement))
  for (const { stream, first } of segments) {
    tables.deleteSegments(stream, first, first)
    tables.deleteHidden(stream, first, first)
  }
  // Counting needs no texts, and this may be kept for long.
  const numbers = segments.map((segment) => ({ ...segment, body: '' }))
  const { received, nowMs } = settlement
  return { claim: { ...settlement.claim, segments: numbers }, received, rejected: [], deferred: [], nowMs }
}

/** The rows as they will be once these settlements, made by letGoIn(), are counted. */
export function withOwed(tables: Tables, owed: readonly Settlement[]): Tables {
  if (owed.length === 0) return tables
  return { ...tables, progress: async () => counted(await tables.progress(), owed) }
}

function counted(rows: readonly Progress[], owed: readonly Settlement[]): Progress[] {
  const progress = byStream(rows)
  const of = (stream: string) => progress.get(stream) ?? noProgress(stream)
  for (const { claim } of owed) {
    for (const segment of claim.segments) {
      const draft = { progress: of(segment.stream), received: 0 }
      settleWhole(draft, segment)
      progress.set(segment.stream, draft.progress)
    }
    for (const report of claim.reports) progress.set(report.id, acknowledge(of(report.id), report))
  }
  return [...progress.values()]
}

function isReceivedWhole({ stream, first, count }: Segment, settlement: Settlement): boolean {
  const runs = runsOf(verdictsOf(settlement, stream), first, first + count - 1)
  return runs.length === 1 && runs[0]?.verdict === 'received'
}
