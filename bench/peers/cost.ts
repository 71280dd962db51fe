import { measure, type Run } from '../browser/measure.ts'
import { interleave } from '../harness/rounds.ts'
import type { Library } from './subjects.ts'

export interface CostOptions {
  readonly events: number
  readonly rounds: number
  readonly timeoutMs: number
  readonly tell: (text: string) => void
}

export interface Cost {
  readonly library: Library
  readonly runs: readonly Run[]
  /** Why there are fewer rounds than asked for, such as a page that crashed. */
  readonly failures: readonly string[]
}

/** A library that takes longer than this is not asked again: what it costs is beyond doubt. */
const ONCE_IS_ENOUGH_MS = 45_000

/** A burst through every library, one after the other, in turning order. Slow ones have fewer rounds. */
export async function measureCosts(libraries: readonly Library[], options: CostOptions): Promise<Cost[]> {
  const { events, rounds, timeoutMs, tell } = options
  const byName = new Map(libraries.map((library) => [library.name, library]))
  const slow = new Set<string>()
  const runs = await interleave([...byName.keys()], { rounds }, async (name, round) => {
    if (slow.has(name)) return undefined
    tell(`cost, round ${round + 1}: ${name}`)
    const startMs = performance.now()
    const { scripts, format } = byName.get(name) as Library
    const options = { scripts, format, events, pace: { kind: 'burst' }, timeoutMs } as const
    const run = await measure(options).catch((error: unknown) => (error as Error).message)
    if (performance.now() - startMs > ONCE_IS_ENOUGH_MS || typeof run === 'string') slow.add(name)
    return run
  })
  return libraries.map((library) => {
    const all = runs[library.name] ?? []
    const failures = all.filter((run) => typeof run === 'string')
    return { library, failures, runs: all.filter((run) => typeof run === 'object') }
  })
}
