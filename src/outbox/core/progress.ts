import type { StreamReport } from '../../wire/contract.ts'
import type { StreamHead } from '../contract.ts'
import type { Progress } from './tables.ts'
import { addTallies, sumOf } from './tallies.ts'

/** The progress of a stream of which nothing has left. */
export function noProgress(stream: string): Progress {
  return { stream, settled: 0, dead: 0, dropped: {}, gone: [], goneBytes: 0, changedAtMs: 0 }
}

/** The progress of a stream of which everything was settled and reported: what a forgotten row said. */
export function allSettled(head: StreamHead, atMs: number): Progress {
  return {
    ...noProgress(head.stream),
    settled: head.recorded,
    gone: head.recorded > 0 ? [[0, head.recorded - 1]] : [],
    goneBytes: head.bytes,
    reported: reportOf(head, noProgress(head.stream)),
    changedAtMs: atMs,
  }
}

/** The stream as its owner sees it, for the wire. */
export function reportOf(head: StreamHead, progress: Progress): StreamReport {
  const report = { id: head.stream, recorded: head.recorded, dropped: addTallies(head.dropped, progress.dropped) }
  return sumOf(head.refused) > 0 ? { ...report, refused: { ...head.refused } } : report
}
