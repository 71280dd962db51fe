import { bundlePage } from '../browser/bundle.ts'
import { measure, type Run } from '../browser/measure.ts'
import type { Hot } from '../browser/profile.ts'
import type { Bench, BenchOptions, Report, Table } from '../contract.ts'
import { interleave } from '../harness/rounds.ts'
import { median } from '../harness/stats.ts'
import { FORMATS, SUBJECTS } from './subjects.ts'

/** Events of the burst, and of one before it that does not count. */
const BURSTS = {
  quick: [[5_000, 0]],
  full: [
    [5_000, 0],
    [5_000, 5_000],
    [100_000, 0],
  ],
} as const

const SHOWN = 25

/** Sums over the rounds' means, so that a function that one round's samples missed is not lost. */
function meanHot(runs: readonly Run[]): Hot[] {
  const times = new Map<string, number>()
  for (const { hot = [] } of runs) {
    for (const { name, selfMs } of hot) times.set(name, (times.get(name) ?? 0) + selfMs / runs.length)
  }
  return [...times].map(([name, selfMs]) => ({ name, selfMs })).toSorted((a, b) => b.selfMs - a.selfMs)
}

function tableOf(title: string, runs: readonly Run[]): Table {
  const hot = meanHot(runs)
  const total = hot.reduce((sum, { selfMs }) => sum + selfMs, 0)
  const task = median(runs.map(({ taskMs }) => taskMs))
  return {
    title: `${title}: ${total.toFixed(1)} ms sampled, ${task.toFixed(1)} ms of tasks`,
    columns: ['function', 'self ms', '%'],
    rows: hot.slice(0, SHOWN).map(({ name, selfMs }) => [name, selfMs, (selfMs / total) * 100]),
  }
}

async function run({ quick, rounds, only, tell }: BenchOptions): Promise<Report> {
  const scripts = {
    metertap: await bundlePage('subjects/metertap.ts', false),
    floor: await bundlePage('subjects/floor.ts', false),
  }
  const tables: Table[] = []
  for (const [events, warmUpEvents] of BURSTS[quick ? 'quick' : 'full']) {
    const name = `burst of ${events.toLocaleString('en')}${warmUpEvents > 0 ? ', warm' : ''}`
    if (!name.includes(only)) continue
    tell(name)
    const runs = await interleave(SUBJECTS, { rounds }, (subject) => {
      const pace = { kind: 'burst' } as const
      const subjects = { scripts: scripts[subject], format: FORMATS[subject] }
      return measure({ ...subjects, events, warmUpEvents, pace, timeoutMs: 60_000, profile: true })
    })
    for (const subject of SUBJECTS) tables.push(tableOf(`${subject}, ${name}`, runs[subject]))
  }
  const notes = ['Sampled every 100 µs, which costs something itself: for finding what costs, not for quoting.']
  return { ratios: [], tables, charts: [], notes }
}

export const profileBench: Bench = {
  name: 'profile',
  title: 'Where the agent’s time in a page goes, function by function',
  defaultRounds: { quick: 3, full: 5 },
  run,
}
