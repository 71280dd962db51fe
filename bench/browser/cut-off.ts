import { figure } from '../harness/format.ts'

/** How a run ended that did not come to its end. */
export interface Ending {
  readonly how: 'cut off' | 'crashed'
  readonly afterMs: number
}

/** What a run had cost when it ended before its end: each figure is a lower bound. */
export interface Cut {
  readonly ending: Ending
  /** Processor time of the page's main thread. */
  readonly taskMs: number
  readonly delivered: number
  readonly requests: number
  readonly wireBytes: number
}

export function endingText({ how, afterMs }: Ending): string {
  return `${how} after ${figure(afterMs / 1_000)} s`
}

/** A run whose page crashed, or did not answer when its time was over. */
export class CutOff extends Error {
  readonly cut: Cut

  constructor(cut: Cut) {
    super(`The run was ${cut.ending.how === 'crashed' ? 'lost: its page ' : ''}${endingText(cut.ending)}.`)
    this.name = 'CutOff'
    this.cut = cut
  }
}
