import type { Range, StreamReport } from '../../wire/contract.ts'
import { addRange, covers, rangeCount } from '../../wire/ranges.ts'
import type { StreamHead, StreamSummary } from '../contract.ts'
import { reportOf } from './progress.ts'
import type { Progress } from './tables.ts'
import { addTallies, sumOf } from './tallies.ts'

/** How a number leaves: a relay holds it, it became a dead letter, or it was dropped for a reason. */
export type Departure = 'settled' | 'dead' | { readonly dropped: string }

/** Notes that the numbers from … to have left; counts only those that had not. */
export function depart(
  progress: Progress,
  from: number,
  to: number,
  how: Departure,
): { progress: Progress; count: number } {
  const { ranges, added } = addRange(progress.gone, from, to)
  const count = rangeCount(added)
  if (count === 0) return { progress, count }
  const left = { ...progress, gone: ranges }
  if (how === 'settled') return { progress: { ...left, settled: left.settled + count }, count }
  if (how === 'dead') return { progress: { ...left, dead: left.dead + count }, count }
  return { progress: { ...left, dropped: addTallies(left.dropped, { [how.dropped]: count }) }, count }
}

/** Whether the number has left. */
export function hasLeft(progress: Progress, seq: number): boolean {
  return covers(progress.gone, seq)
}

/** Takes back that a number has left as a dead letter: it waits again, with the bytes of its text. */
export function returnDead(progress: Progress, seq: number, bytes: number): Progress {
  if (!hasLeft(progress, seq)) return progress
  return {
    ...progress,
    dead: Math.max(0, progress.dead - 1),
    gone: removeFromRanges(progress.gone, seq),
    goneBytes: progress.goneBytes - bytes,
  }
}

/** Events of the stream that are still in the outbox. */
export function waitingEvents(head: StreamHead, progress: Progress): number {
  return Math.max(0, head.recorded - sumOf(head.dropped) - rangeCount(progress.gone))
}

/** Their bytes: an estimate after a repeated append, never below 0, and 0 when nothing waits. */
export function waitingBytes(head: StreamHead, progress: Progress): number {
  return waitingEvents(head, progress) === 0 ? 0 : Math.max(0, head.bytes - progress.goneBytes)
}

/** Whether a relay has acknowledged the stream's counters as they are now. */
export function isReported(head: StreamHead, progress: Progress): boolean {
  return progress.reported !== undefined && weight(progress.reported) >= weight(reportOf(head, progress))
}

/** Notes an acknowledged report, unless a newer one has been. */
export function acknowledge(progress: Progress, report: StreamReport): Progress {
  if (progress.reported !== undefined && weight(progress.reported) >= weight(report)) return progress
  return { ...progress, reported: report }
}

export function summaryOf(head: StreamHead, progress: Progress): StreamSummary {
  return {
    stream: head.stream,
    accountTag: head.accountTag,
    openedAtMs: head.openedAtMs,
    recorded: head.recorded,
    bytes: head.bytes,
    refused: head.refused,
    settled: progress.settled,
    dead: progress.dead,
    dropped: addTallies(head.dropped, progress.dropped),
  }
}

/** Counters only grow, so of two reports, or heads, the heavier one is the newer; equal weight means equal counters. */
export function weight(report: Pick<StreamHead, 'recorded' | 'dropped' | 'refused'> | StreamReport): number {
  return report.recorded + sumOf(report.dropped) + sumOf(report.refused)
}

export function removeFromRanges(ranges: readonly Range[], seq: number): readonly Range[] {
  return ranges.flatMap(([from, to]): Range[] => {
    if (seq < from || seq > to) return [[from, to]]
    const around: Range[] = [
      [from, seq - 1],
      [seq + 1, to],
    ]
    return around.filter(([low, high]) => low <= high)
  })
}
