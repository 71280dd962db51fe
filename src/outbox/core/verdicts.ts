import type { Range } from '../../wire/contract.ts'
import type { Settlement } from '../contract.ts'

/** What the relay said of one number; 'none' when it said nothing. */
export type Verdict =
  | 'none'
  | 'received'
  | { readonly kind: 'deferred'; readonly hiddenAtMs: number; readonly visibleAtMs: number }
  | { readonly kind: 'rejected'; readonly code: string; readonly detail: string }

/** The part of a settlement that names one stream. */
export interface StreamVerdicts {
  readonly received: readonly Range[]
  readonly deferred: readonly { from: number; to: number; verdict: Verdict }[]
  readonly rejected: readonly { seq: number; verdict: Verdict }[]
}

/** A run of neighbouring numbers with one verdict. */
export interface Run {
  readonly from: number
  readonly to: number
  readonly verdict: Verdict
}

export function verdictsOf(settlement: Settlement, stream: string): StreamVerdicts {
  const { received, deferred, rejected, nowMs } = settlement
  return {
    received: received[stream] ?? [],
    deferred: deferred
      .filter((each) => each.stream === stream)
      .map(({ from, to, delayMs }) => {
        return { from, to, verdict: { kind: 'deferred', hiddenAtMs: nowMs, visibleAtMs: nowMs + delayMs } }
      }),
    rejected: rejected
      .filter((each) => each.stream === stream)
      .map(({ seq, code, detail }) => ({ seq, verdict: { kind: 'rejected', code, detail } })),
  }
}

/**
 * The verdicts on the numbers from … to as runs. The ranges come from outside: they may be unsorted, overlapping,
 * reversed or far too wide. Later marks win, so that a contradiction keeps the event rather than loses it.
 */
export function runsOf(verdicts: StreamVerdicts, from: number, to: number): Run[] {
  const marks = new Array<Verdict>(to - from + 1).fill('none')
  const mark = (low: number, high: number, verdict: Verdict) => {
    for (let seq = Math.max(low, from); seq <= Math.min(high, to); seq++) marks[seq - from] = verdict
  }
  for (const [low, high] of verdicts.received) mark(low, high, 'received')
  for (const { from: low, to: high, verdict } of verdicts.deferred) mark(low, high, verdict)
  for (const { seq, verdict } of verdicts.rejected) mark(seq, seq, verdict)
  return joinEqual(marks, from)
}

function joinEqual(marks: readonly Verdict[], first: number): Run[] {
  const runs: { from: number; to: number; verdict: Verdict }[] = []
  marks.forEach((verdict, index) => {
    const previous = runs.at(-1)
    if (previous?.verdict === verdict) previous.to = first + index
    else runs.push({ from: first + index, to: first + index, verdict })
  })
  return runs
}
