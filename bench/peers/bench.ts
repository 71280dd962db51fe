import type { Bench, BenchOptions, Report } from '../contract.ts'
import { inParallel } from '../harness/rounds.ts'
import { type Cost, measureCosts, worstCostMs } from './cost.ts'
import { FATE_TIMES, FATES, type FateResult, limitOf, tryToMeet } from './fates.ts'
import { installPeers } from './install.ts'
import { peersReport } from './report.ts'
import { type Library, loadLibraries } from './subjects.ts'

const EVENTS = { quick: 300, full: 5_000 }
/** A library that has not delivered by then is cut off, and shown with what it cost until then. */
const TIMEOUT_MS = { quick: 20_000, full: 120_000 }
/** When the costs have taken so long, no further round is begun. */
const COST_BUDGET_MS = 18 * 60_000
/** Most of a fate is waiting, so all libraries meet it together. */
const AT_ONCE = 9

type Form = 'quick' | 'full'

function worstFatesMs(count: number, form: Form): number {
  const onePassMs = FATES.reduce((sum, fate) => sum + limitOf(fate, FATE_TIMES[form]), 0)
  return onePassMs * Math.ceil(count / AT_ONCE)
}

/** Every library meets every fate; the longest first, so that nobody waits for a last one. */
async function meetFates(libraries: readonly Library[], form: Form, { tell }: BenchOptions, keep: KeepFates) {
  const times = FATE_TIMES[form]
  const fates = FATES.toSorted((a, b) => limitOf(b, times) - limitOf(a, times))
  const jobs = fates.flatMap((fate) => libraries.map((library) => ({ fate, library })))
  const results: FateResult[] = []
  return await inParallel(jobs, AT_ONCE, async ({ fate, library }) => {
    const result = await tryToMeet(library, fate, times)
    results.push(result)
    const { failure, lost, doubled, recorded } = result
    const outcome = failure ?? `${lost} lost, ${doubled} doubled of ${recorded}`
    tell(`fate ${results.length} of ${jobs.length}: ${fate.name}, ${library.name}: ${outcome}`)
    keep(results)
    return result
  })
}

type KeepFates = (fates: readonly FateResult[]) => void

async function run(options: BenchOptions): Promise<Report> {
  const { quick, rounds, only, tell, keep } = options
  installPeers(tell)
  const form = quick ? 'quick' : 'full'
  const libraries = await loadLibraries(only)
  const events = EVENTS[form]
  const keepCosts = (costs: readonly Cost[]): void => keep(peersReport({ events, costs, fates: [] }))
  const limits = { rounds, timeoutMs: TIMEOUT_MS[form], budgetMs: COST_BUDGET_MS }
  const worstMs = worstCostMs(libraries.length, limits) + worstFatesMs(libraries.length, form)
  tell(`at most about ${Math.ceil(worstMs / 60_000)} min, if every library were cut off everywhere`)
  const costs = await measureCosts(libraries, { events, ...limits, tell, keep: keepCosts })
  const fates = await meetFates(libraries, form, options, (known) => keep(peersReport({ events, costs, fates: known })))
  return peersReport({ events, costs, fates })
}

export const peersBench: Bench = {
  name: 'peers',
  title: 'The same events through metertap and eight well-known libraries',
  defaultRounds: { quick: 1, full: 3 },
  run,
}
