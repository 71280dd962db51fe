import type { Range } from '../../wire/contract.ts'
import { addRange } from '../../wire/ranges.ts'
import type { Segment, Settled, Settlement, StreamHead } from '../contract.ts'
import { acknowledge, isReported } from './accounting.ts'
import { groupByStream } from './group-by-stream.ts'
import { noProgress } from './progress.ts'
import { raiseDead } from './raise-dead.ts'
import { type Draft, settleRow, settleWhole } from './settle-row.ts'
import { isSegment } from './sound-rows.ts'
import { type FoundRows, streamRows } from './state.ts'
import { byStream, type Progress, type Tables } from './tables.ts'
import { runsOf, verdictsOf } from './verdicts.ts'

/** What a settlement changed, and the streams' rows as they are then. */
export interface SettledRows {
  readonly settled: Settled
  readonly rows: FoundRows
}

/**
 * See Outbox.settle. Clean streams that were finished more than `retireAfterMs` ago are forgotten. Neither counts nor claims:
 * see settle-on.ts.
 */
export async function settleIn(tables: Tables, settlement: Settlement, retireAfterMs: number): Promise<SettledRows> {
  const rows = await streamRows(tables)
  const heads = byStream(rows.heads)
  const stored = new Map(rows.progress)
  const drafts = new Map<string, Draft>()
  const draftOf = (stream: string): Draft => {
    const known = drafts.get(stream)
    if (known) return known
    const draft = { progress: stored.get(stream) ?? noProgress(stream), received: 0, dead: [] }
    drafts.set(stream, draft)
    return draft
  }
  for (const [stream, segments] of groupByStream(settlement.claim.segments)) {
    const head = heads.get(stream)
    if (head) await settleStream(tables, head, draftOf(stream), segments, settlement)
  }
  for (const report of settlement.claim.reports) {
    if (heads.has(report.id)) draftOf(report.id).progress = acknowledge(draftOf(report.id).progress, report)
  }
  for (const [stream, { progress }] of drafts) {
    if (progress === stored.get(stream)) continue
    const changed = { ...progress, changedAtMs: settlement.nowMs }
    tables.putProgress(changed)
    stored.set(stream, changed)
  }
  const kept = await retire(tables, rows.heads, stored, settlement.nowMs - retireAfterMs)
  const settled = {
    received: [...drafts.values()].reduce((total, draft) => total + draft.received, 0),
    dead: [...drafts.values()].flatMap((draft) => draft.dead),
  }
  return { settled, rows: { heads: kept, progress: stored, strays: rows.strays } }
}

async function settleStream(
  tables: Tables,
  head: StreamHead,
  draft: Draft,
  segments: readonly Segment[],
  settlement: Settlement,
): Promise<void> {
  const verdicts = verdictsOf(settlement, head.stream)
  const last = (segment: Segment) => segment.first + segment.count - 1
  for (const [from, to] of joined(segments.map((segment) => [segment.first, last(segment)]))) {
    tables.deleteHidden(head.stream, from, to)
  }
  const covered: Range[] = []
  for (const segment of segments) {
    const runs = runsOf(verdicts, segment.first, last(segment))
    for (const run of runs) if (run.verdict === 'received') await raiseDead(tables, head.stream, draft, run)
    if (runs.length > 1 || typeof runs[0]?.verdict === 'object') {
      for (const row of await tables.segmentsWithin(head.stream, segment.first, last(segment))) {
        if (isSegment(row)) settleRow(tables, head, draft, row, verdicts, settlement.nowMs)
      }
    } else if (runs[0]?.verdict === 'received') {
      covered.push([segment.first, last(segment)])
      settleWhole(draft, segment)
    }
  }
  for (const [from, to] of joined(covered)) tables.deleteSegments(head.stream, from, to)
}

function joined(runs: readonly Range[]): Range[] {
  return runs.reduce<Range[]>((ranges, [from, to]) => addRange(ranges, from, to).ranges, [])
}

/**
 * Only streams without dead letters and drops are forgotten: should their owner still live and append again, then what
 * their rows said can be told from its last head alone. The others stay, as evidence, and are given back.
 */
async function retire(
  tables: Tables,
  heads: readonly StreamHead[],
  progress: ReadonlyMap<string, Progress>,
  beforeMs: number,
): Promise<StreamHead[]> {
  const kept: StreamHead[] = []
  for (const head of heads) {
    const known = progress.get(head.stream)
    const isOver = known && known.changedAtMs < beforeMs && known.settled === head.recorded && isReported(head, known)
    if (isOver && (await tables.segmentsWithin(head.stream, 0, Number.POSITIVE_INFINITY)).length === 0) {
      tables.deleteStream(head.stream)
    } else kept.push(head)
  }
  return kept
}
