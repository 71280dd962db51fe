import { CutOff, type Ending, endingText } from '../browser/cut-off.ts'
import { type MeasureOptions, measure, type Run } from '../browser/measure.ts'
import { figure } from '../harness/format.ts'
import { interleave } from '../harness/rounds.ts'
import type { Library } from './subjects.ts'

interface CostLimits {
  readonly events: number
  readonly rounds: number
  /** After this long a run is cut off. */
  readonly timeoutMs: number
  /** After this long no further round is begun; the first is always made. */
  readonly budgetMs: number
}

export interface CostOptions extends CostLimits {
  readonly tell: (text: string) => void
  /** What is known so far, after each run. */
  readonly keep: (costs: readonly Cost[]) => void
}

/** One run of a library. When it ended before its end, every figure is a lower bound, and some are not known. */
export interface CostRun extends Pick<Run, 'taskMs' | 'delivered' | 'requests' | 'wireBytes'> {
  readonly round: number
  readonly outsideMs?: number
  readonly scriptMs?: number
  readonly callMs?: number
  readonly deliveredMs?: number
  /** Not everything was delivered by then. */
  readonly ending?: Ending
}

export interface Cost {
  readonly library: Library
  readonly runs: readonly CostRun[]
  /** Why there are fewer rounds than asked for, such as a page that crashed. */
  readonly failures: readonly string[]
}

/** A library that takes longer than this is not asked again: what it costs is beyond doubt. */
const ONCE_IS_ENOUGH_MS = 45_000

/** Around a run: a browser that starts and ends, a page that settles. */
const AROUND_MS = 20_000

/** How long the costs of so many libraries take at most, on a machine that is not overloaded. */
export function worstCostMs(count: number, { rounds, timeoutMs, budgetMs }: Omit<CostLimits, 'events'>): number {
  const longestMs = timeoutMs + AROUND_MS
  const firstMs = count * longestMs
  // Later rounds: of those only that were quick before, and until the budget is spent.
  const laterMs = count * (rounds - 1) * ONCE_IS_ENOUGH_MS
  return Math.max(firstMs, Math.min(firstMs + laterMs, budgetMs + longestMs))
}

/** A run that did not deliver everything in time was cut off, though its page still answers. */
export function costRunOf(
  run: Run,
  round: number,
  { events, timeoutMs }: Pick<CostLimits, 'events' | 'timeoutMs'>,
): CostRun {
  const { taskMs, outsideMs, scriptMs, callMs, deliveredMs, delivered, requests, wireBytes } = run
  return {
    ...{ round, taskMs, outsideMs, scriptMs, callMs, delivered, requests, wireBytes },
    ...(deliveredMs !== undefined && { deliveredMs }),
    ...(delivered < events && { ending: { how: 'cut off', afterMs: timeoutMs } }),
  }
}

/** As measure(); a run that is cut off is one too, and what breaks is told as text. */
async function tryToMeasure(options: MeasureOptions, round: number): Promise<CostRun | string> {
  try {
    return costRunOf(await measure(options), round, options)
  } catch (error) {
    if (!(error instanceof CutOff)) return (error as Error).message
    return { round, ...error.cut }
  }
}

function inWords(run: CostRun | string, events: number): string {
  if (typeof run === 'string') return run
  const { taskMs, ending, delivered } = run
  const count = `${figure(delivered)} of ${figure(events)} events`
  if (!ending) return `${figure(taskMs)} ms, ${count}`
  return `at least ${figure(taskMs)} ms, ${count}: ${endingText(ending)}`
}

/** A burst through every library, one after the other, in turning order. Slow ones have fewer rounds. */
export async function measureCosts(libraries: readonly Library[], options: CostOptions): Promise<readonly Cost[]> {
  const { events, rounds, timeoutMs, budgetMs, tell, keep } = options
  const costs = new Map(libraries.map((library) => [library.name, { library, runs: [], failures: [] } as Cost]))
  const isDone = new Set<string>()
  const beganMs = performance.now()
  await interleave([...costs.keys()], { rounds }, async (name, round) => {
    if (isDone.has(name) || (round > 0 && performance.now() - beganMs > budgetMs)) return
    const { library, runs, failures } = costs.get(name) as Cost
    const { scripts, format } = library
    const startMs = performance.now()
    const run = await tryToMeasure({ scripts, format, events, pace: { kind: 'burst' }, timeoutMs }, round)
    const tookMs = performance.now() - startMs
    tell(`cost, round ${round + 1} of ${rounds}: ${name}: ${inWords(run, events)} (${figure(tookMs / 1_000)} s)`)
    const isCut = typeof run === 'string' || run.ending !== undefined
    if (isCut || tookMs > ONCE_IS_ENOUGH_MS) isDone.add(name)
    costs.set(name, {
      library,
      runs: typeof run === 'string' ? runs : [...runs, run],
      failures: typeof run === 'string' ? [...failures, run] : failures,
    })
    keep([...costs.values()])
  })
  return [...costs.values()]
}
