import { figure } from '../harness/format.ts'

/** What a run had cost when its time was over: each figure is a lower bound. */
export interface Cut {
  readonly afterMs: number
  /** Processor time of the page's main thread. */
  readonly taskMs: number
  readonly delivered: number
  readonly requests: number
  readonly wireBytes: number
}

/** A run whose page did not answer when its time was over: its browser was killed. */
export class CutOff extends Error {
  readonly cut: Cut

  constructor(cut: Cut) {
    super(`The page did not answer for ${figure(cut.afterMs / 1_000)} s.`)
    this.name = 'CutOff'
    this.cut = cut
  }
}
