import type { MachineFacts } from './harness/machine.ts'
import type { Spread } from './harness/stats.ts'

/** How much a bench does: `quick` ends within a minute and says where things stand; the full form is for quoting. */
export interface BenchOptions {
  readonly quick: boolean
  /** Rounds of each measurement; every round runs all subjects, one after the other. */
  readonly rounds: number
  /** Takes only cases whose name holds this text. Default '': all. */
  readonly only: string
  /** Tells how far it is; goes to stderr. */
  readonly tell: (text: string) => void
  /** Keeps what is known so far, in case that the bench is ended before its end. */
  readonly keep: (report: Report) => void
}

/** One figure against another of the same run, round by round: what a shared machine does to both cancels out. */
export interface Ratio {
  readonly name: string
  readonly value: Spread
  /** The true figure is this or less, as what it is taken over is known as a lower bound only. Default false. */
  readonly isCeiling?: boolean
  /** What it should be, when there is a target. */
  readonly atMost?: number
  readonly atLeast?: number
}

export interface Table {
  readonly title: string
  readonly columns: readonly string[]
  readonly rows: readonly (readonly (string | number)[])[]
}

export interface Bar {
  readonly label: string
  readonly value: number
  /** What stands behind the bar. Default: the value. */
  readonly text?: string
  /** Ours, among others'. */
  readonly highlight?: boolean
}

/** Horizontal bars, the shorter the better unless the title says otherwise. */
export interface Chart {
  /** File name without `.svg`. */
  readonly name: string
  readonly title: string
  readonly unit: string
  readonly bars: readonly Bar[]
  /** Bars by powers of ten. Default false. */
  readonly isLog?: boolean
}

/** What a bench found. */
export interface Report {
  readonly ratios: readonly Ratio[]
  readonly tables: readonly Table[]
  readonly charts: readonly Chart[]
  /** What one has to know to read the figures. */
  readonly notes: readonly string[]
}

export interface Bench {
  readonly name: string
  readonly title: string
  readonly defaultRounds: { readonly quick: number; readonly full: number }
  run(options: BenchOptions): Promise<Report>
}

/** A report as `--json` writes it. */
export interface ReportFile extends Report {
  readonly bench: string
  readonly quick: boolean
  readonly rounds: number
  readonly startedAt: string
  readonly durationMs: number
  readonly machine: MachineFacts
}
