import type { Segment, Settlement } from '../contract.ts'
import type { Tables } from './tables.ts'
import { runsOf, verdictsOf } from './verdicts.ts'

/**
 * The deletions of a settlement without its writes: lets go of the segments that a relay holds whole, and gives back the
 * settlement that is still to be counted. Everything else of the claim stays as it was.
 */
export function letGoIn(tables: Tables, settlement: Settlement): Settlement {
  const segments = settlement.claim.segments.filter((segment) => isReceivedWhole(segment, settlement))
  for (const { stream, first } of segments) {
    tables.deleteSegments(stream, first, first)
    tables.deleteHidden(stream, first, first)
  }
  return { ...settlement, claim: { segments, reports: [], more: false }, rejected: [], deferred: [] }
}

function isReceivedWhole({ stream, first, count }: Segment, settlement: Settlement): boolean {
  const runs = runsOf(verdictsOf(settlement, stream), first, first + count - 1)
  return runs.length === 1 && runs[0]?.verdict === 'received'
}
