import type { AgentStats } from '../agent/stats.ts'
import type { Progress, Run } from './contract.ts'

const MAX_RUNS = 60

/** The newest runs of numbers that the agent gave out, newest first. */
export class Runs {
  #runs: readonly Run[] = []
  #stream: string | undefined
  #next = 0

  get runs(): readonly Run[] {
    return this.#runs
  }

  look({ stream, recorded }: AgentStats, atMs: number): void {
    if (stream === undefined) return
    if (stream !== this.#stream) this.#next = 0
    this.#stream = stream
    if (recorded <= this.#next) return
    const run = { stream, from: this.#next, to: recorded - 1, atMs }
    this.#next = recorded
    this.#runs = [run, ...this.#runs].slice(0, MAX_RUNS)
  }
}

/** Where a run is. Without any doubt, except for 'likely': what waits leaves in order, mostly. */
export type RunState = 'storing' | 'waiting' | 'leaving' | 'likely' | 'accepted' | 'dead' | 'gone'

/**
 * A run's state, from what the outbox counts of its stream. Once nothing of the stream waits, it is known of each number
 * what became of it; until then only how many have left, the oldest first where none was put off.
 */
export function stateOf(run: Run, { stats, summary, dead }: Progress): RunState {
  if (stats.stream === run.stream && run.to >= stats.recorded - stats.storing) return 'storing'
  if (summary?.stream !== run.stream) return 'waiting'
  if (deadIn(run, dead).length > run.to - run.from) return 'dead'
  const dropped = Object.values(summary.dropped).reduce((sum, count) => sum + count, 0)
  const left = summary.settled + summary.dead + dropped
  if (left >= summary.recorded && run.to < summary.recorded) {
    // Of those that were dropped, and of dead letters that were deleted, nobody knows which they were.
    return dropped > 0 || summary.dead > dead.size ? 'gone' : 'accepted'
  }
  if (left > run.to) return 'likely'
  return left > run.from ? 'leaving' : 'waiting'
}

/** Numbers of a run that became dead letters. */
export function deadIn({ from, to }: Run, dead: ReadonlyMap<number, string>): number[] {
  return [...dead.keys()].filter((seq) => seq >= from && seq <= to)
}

/** The states of runs. What was once known to be accepted as a whole stays so, whatever comes behind it. */
export class RunStates {
  readonly #accepted = new WeakSet<Run>()

  look(run: Run, progress: Progress): RunState {
    if (this.#accepted.has(run)) return 'accepted'
    const state = stateOf(run, progress)
    if (state === 'accepted' && deadIn(run, progress.dead).length === 0) this.#accepted.add(run)
    return state
  }
}
