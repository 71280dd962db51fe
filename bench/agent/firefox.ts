import type { PageScripts } from '../browser/bundle.ts'
import { type Times, timesInFirefox } from '../browser/times.ts'
import type { Ratio, Table } from '../contract.ts'
import { figure } from '../harness/format.ts'
import { interleave } from '../harness/rounds.ts'
import { median, ratioOf } from '../harness/stats.ts'
import { type AgentSubject, FORMATS, SUBJECTS } from './subjects.ts'

const EVENTS = 5_000
const TIMEOUT_MS = 60_000
const NAME = `Firefox, burst of ${EVENTS.toLocaleString('en')}`

export interface FirefoxPart {
  readonly ratios: readonly Ratio[]
  readonly tables: readonly Table[]
  readonly notes: readonly string[]
}

/** The same burst in Firefox, where a page's wall time is all there is; without a Firefox, a note that says so. */
export async function inFirefox(scripts: Record<AgentSubject, PageScripts>, rounds: number): Promise<FirefoxPart> {
  let runs: Record<AgentSubject, Times[]>
  try {
    runs = await interleave(SUBJECTS, { rounds }, (subject) =>
      timesInFirefox({ scripts: scripts[subject], format: FORMATS[subject], events: EVENTS, timeoutMs: TIMEOUT_MS }),
    )
  } catch (error) {
    return { ratios: [], tables: [], notes: [`Firefox was not measured: ${(error as Error).message}`] }
  }
  const calls = (subject: AgentSubject) => runs[subject].map(({ callMs }) => callMs)
  const of = (subject: AgentSubject, what: keyof Times) => {
    const values = runs[subject].flatMap((times) => times[what] ?? [])
    return values.length > 0 ? figure(median(values)) : '–'
  }
  const columns = ['record() ms', 'durable ms', 'delivered ms', 'idb tx'] as const
  const fields = ['callMs', 'durableMs', 'deliveredMs', 'transactions'] as const
  return {
    ratios: [
      { name: `${NAME}: time within record() over the floor’s`, value: ratioOf(calls('metertap'), calls('floor')) },
    ],
    tables: [
      {
        title: `${NAME}, medians of wall time`,
        columns: ['subject', ...columns],
        rows: SUBJECTS.map((subject) => [subject, ...fields.map((field) => of(subject, field))]),
      },
    ],
    notes: [
      'Firefox gives a page’s tool neither processor time nor tasks; WebKitGTK’s browser cannot be driven on a profile of its own and is left out.',
    ],
  }
}
