import type { Segment } from '../outbox/contract.ts'
import { sealed } from '../outbox/core/seal.ts'

/** Neighbouring events that will be one segment. */
export interface Run {
  readonly first: number
  readonly texts: string[]
  chars: number
}

export interface RunLimits {
  readonly maxSegmentBytes: number
  readonly maxSegmentEvents: number
}

/** Serialised events that wait for the next group commit. */
export class Runs {
  readonly #limits: RunLimits
  #runs: Run[] = []
  #last: Run | undefined
  /** Sums over all runs: every record() asks for them. */
  #events = 0
  #chars = 0

  constructor(limits: RunLimits) {
    this.#limits = limits
  }

  get events(): number {
    return this.#events
  }

  /** UTF-16 units, a little less than bytes. */
  get chars(): number {
    return this.#chars
  }

  get isEmpty(): boolean {
    return this.#runs.length === 0
  }

  add(seq: number, text: string): void {
    const run = this.#runFor(seq, text)
    run.texts.push(text)
    run.chars += text.length + 1
    this.#events++
    this.#chars += text.length + 1
  }

  take(): readonly Run[] {
    const runs = this.#runs
    this.#runs = []
    this.#last = undefined
    this.#events = 0
    this.#chars = 0
    return runs
  }

  #runFor(seq: number, text: string): Run {
    const { maxSegmentBytes, maxSegmentEvents } = this.#limits
    const last = this.#last
    // A number reserved in between starts a new run: a segment has no gap.
    const follows = last !== undefined && last.first + last.texts.length === seq
    if (follows && last.texts.length < maxSegmentEvents && last.chars + text.length <= maxSegmentBytes) return last
    const run: Run = { first: seq, texts: [], chars: 0 }
    this.#runs.push(run)
    this.#last = run
    return run
  }
}

const NON_ASCII = /[\u0080-\uffff]/

export function segmentOf(
  stream: string,
  { first, texts }: Pick<Run, 'first' | 'texts'>,
  utf8Length: (text: string) => number,
): Segment {
  const body = texts.join()
  const bytes = NON_ASCII.test(body) ? utf8Length(body) : body.length
  return sealed({ stream, first, count: texts.length, bytes, body })
}
