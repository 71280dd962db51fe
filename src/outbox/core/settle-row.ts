import type { DeadLetter, Segment, StreamHead } from '../contract.ts'
import { depart } from './accounting.ts'
import { sliceSegment, splitEvents } from './split-events.ts'
import type { Progress, Tables } from './tables.ts'
import { type Run, runsOf, type StreamVerdicts } from './verdicts.ts'

/** A stream's state while a settlement is worked in. */
export interface Draft {
  progress: Progress
  received: number
  readonly dead: DeadLetter[]
}

/** Whole segments go without being read again, many at once: the common case, and the fast one. */
export function settleWhole(draft: Pick<Draft, 'progress' | 'received'>, segment: Segment): void {
  const { progress, count } = depart(draft.progress, segment.first, segment.first + segment.count - 1, 'settled')
  if (count === 0) return
  const bytes = Math.round((segment.bytes * count) / segment.count)
  draft.progress = { ...progress, goneBytes: progress.goneBytes + bytes }
  draft.received += count
}

/** Works the verdicts into one stored segment: what stays becomes shorter segments with the exact same texts. */
export function settleRow(
  tables: Tables,
  head: StreamHead,
  draft: Draft,
  row: Segment,
  verdicts: StreamVerdicts,
  nowMs: number,
): void {
  const runs = runsOf(verdicts, row.first, row.first + row.count - 1)
  const [only] = runs
  if (runs.length === 1 && only?.verdict === 'none') return
  const texts = runs.length === 1 ? [row.body] : splitEvents(row.body)
  // Never guess which text belongs to which number: a row that does not hold what it counts can only leave whole.
  if (runs.length > 1 && texts.length !== row.count) return
  tables.deleteSegments(row.stream, row.first, row.first)
  let keptBytes = 0
  for (const run of runs) {
    if (leaves(run)) letGo(tables, head, draft, run, texts[run.from - row.first] ?? '', nowMs)
    else {
      const piece = runs.length === 1 ? row : sliceSegment(row.stream, texts, row.first, run.from, run.to)
      keptBytes += piece.bytes
      keep(tables, piece, run)
    }
  }
  draft.progress = { ...draft.progress, goneBytes: draft.progress.goneBytes + row.bytes - keptBytes }
}

function leaves({ verdict }: Run): boolean {
  return verdict === 'received' || (typeof verdict === 'object' && verdict.kind === 'rejected')
}

function keep(tables: Tables, piece: Segment, { verdict }: Run): void {
  tables.putSegment(piece)
  if (typeof verdict === 'object' && verdict.kind === 'deferred') {
    const { stream, first, count } = piece
    const { hiddenAtMs, visibleAtMs } = verdict
    tables.putHidden({ stream, first, count, hiddenAtMs, visibleAtMs })
  }
}

/** A rejected run is always one event: each rejection is a verdict of its own. */
function letGo(tables: Tables, head: StreamHead, draft: Draft, run: Run, text: string, nowMs: number): void {
  const rejection = typeof run.verdict === 'object' && run.verdict.kind === 'rejected' ? run.verdict : undefined
  const { progress, count } = depart(draft.progress, run.from, run.to, rejection ? 'dead' : 'settled')
  draft.progress = progress
  if (!rejection) draft.received += count
  else if (count > 0) {
    const { stream, accountTag } = head
    const { code, detail } = rejection
    const letter = { stream, seq: run.from, accountTag, event: text, code, detail, diedAtMs: nowMs }
    tables.putDead(letter)
    draft.dead.push(letter)
  }
}
