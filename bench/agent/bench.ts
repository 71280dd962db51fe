import { bundlePage, type PageScripts } from '../browser/bundle.ts'
import { measure, type Run } from '../browser/measure.ts'
import type { Bench, BenchOptions, Report } from '../contract.ts'
import { interleave } from '../harness/rounds.ts'
import { type AgentCase, casesOf } from './cases.ts'
import { inFirefox } from './firefox.ts'
import { agentReport, type CaseResult } from './report.ts'
import { type AgentSubject, FORMATS, SUBJECTS } from './subjects.ts'

/** All of a case's events have to arrive: a subject that loses some is no floor. */
function checkWhole(subject: string, { name, events }: AgentCase, { delivered }: Run): void {
  if (delivered !== events) throw new Error(`${subject}, ${name}: ${delivered} of ${events} events arrived in time.`)
}

async function runCase(
  each: AgentCase,
  scripts: Record<AgentSubject, PageScripts>,
  quick: boolean,
): Promise<CaseResult> {
  const { events, pace, timeoutMs, warmUpEvents } = each
  const one = (observe: boolean) => async (subject: AgentSubject) => {
    const run = await measure({
      scripts: scripts[subject],
      format: FORMATS[subject],
      events,
      pace,
      timeoutMs,
      warmUpEvents,
      observe,
    })
    checkWhole(subject, each, run)
    return run
  }
  const warmUps = quick ? 0 : 1
  const timed = await interleave(SUBJECTS, { rounds: each.rounds, warmUps }, one(false))
  const observed = await interleave(SUBJECTS, { rounds: each.observedRounds }, one(true))
  return { case: each, timed, observed }
}

const FIREFOX = 'firefox'

async function run({ quick, rounds, only, tell }: BenchOptions): Promise<Report> {
  const scripts = { metertap: await bundlePage('subjects/metertap.ts'), floor: await bundlePage('subjects/floor.ts') }
  const results: CaseResult[] = []
  for (const each of casesOf(quick, rounds).filter(({ name }) => name.includes(only))) {
    tell(each.name)
    results.push(await runCase(each, scripts, quick))
  }
  const report = agentReport(results)
  // Starting it takes too long for the quick form; by name it can be had there, too.
  if (quick ? only !== FIREFOX : !FIREFOX.includes(only)) return report
  tell(FIREFOX)
  const { ratios, tables, notes } = await inFirefox(scripts, Math.min(rounds, 5))
  return {
    ...report,
    ratios: [...report.ratios, ...ratios],
    tables: [...report.tables, ...tables],
    notes: [...report.notes, ...notes],
  }
}

export const agentBench: Bench = {
  name: 'agent',
  title: 'The agent in a page, against the least code that does the work',
  defaultRounds: { quick: 2, full: 9 },
  run,
}
