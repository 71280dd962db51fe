import { bundlePage, type PageScripts } from '../browser/bundle.ts'
import { measure, type Run } from '../browser/measure.ts'
import type { Bench, BenchOptions, Report } from '../contract.ts'
import { interleave } from '../harness/rounds.ts'
import type { Format } from '../sink/contract.ts'
import { floorFormat } from '../sink/formats/floor.ts'
import { metertapFormat } from '../sink/formats/metertap.ts'
import { type AgentCase, casesOf } from './cases.ts'
import { agentReport, type CaseResult } from './report.ts'

export const SUBJECTS = ['metertap', 'floor'] as const
export type AgentSubject = (typeof SUBJECTS)[number]

export const FORMATS: Readonly<Record<AgentSubject, Format>> = { metertap: metertapFormat(), floor: floorFormat }

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

async function run({ quick, rounds, only, tell }: BenchOptions): Promise<Report> {
  const scripts = { metertap: await bundlePage('subjects/metertap.ts'), floor: await bundlePage('subjects/floor.ts') }
  const results: CaseResult[] = []
  for (const each of casesOf(quick, rounds).filter(({ name }) => name.includes(only))) {
    tell(each.name)
    results.push(await runCase(each, scripts, quick))
  }
  return agentReport(results)
}

export const agentBench: Bench = {
  name: 'agent',
  title: 'The agent in a page, against the least code that does the work',
  defaultRounds: { quick: 2, full: 9 },
  run,
}
