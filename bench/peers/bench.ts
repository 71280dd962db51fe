import type { Bench, BenchOptions, Report } from '../contract.ts'
import { inParallel } from '../harness/rounds.ts'
import { measureCosts } from './cost.ts'
import { FATE_TIMES, FATES, tryToMeet } from './fates.ts'
import { installPeers } from './install.ts'
import { peersReport } from './report.ts'
import { loadLibraries } from './subjects.ts'

const EVENTS = { quick: 300, full: 5_000 }
/** A library that has not delivered by then is shown with what it cost until then. */
const TIMEOUT_MS = { quick: 20_000, full: 120_000 }
/** Most of a fate is waiting, so all libraries meet it together. */
const AT_ONCE = 9

async function run({ quick, rounds, only, tell }: BenchOptions): Promise<Report> {
  installPeers(tell)
  const form = quick ? 'quick' : 'full'
  const libraries = await loadLibraries(only)
  const events = EVENTS[form]
  const costs = await measureCosts(libraries, { events, rounds, timeoutMs: TIMEOUT_MS[form], tell })
  const jobs = FATES.flatMap((fate) => libraries.map((library) => ({ fate, library })))
  const fates = await inParallel(jobs, AT_ONCE, ({ fate, library }) => {
    tell(`${fate.name}: ${library.name}`)
    return tryToMeet(library, fate, FATE_TIMES[form])
  })
  return peersReport({ events, costs, fates })
}

export const peersBench: Bench = {
  name: 'peers',
  title: 'The same events through metertap and eight well-known libraries',
  defaultRounds: { quick: 1, full: 3 },
  run,
}
