import type { CDPSession } from 'playwright'

/** Where the page's main thread spent its time, by function. */
export interface Hot {
  /** A function's name, or a state of the engine's own such as `(garbage collector)`. */
  readonly name: string
  readonly selfMs: number
}

interface ProfileNode {
  readonly id: number
  readonly callFrame: { readonly functionName: string; readonly url: string; readonly lineNumber: number }
}

interface Profile {
  readonly nodes: readonly ProfileNode[]
  readonly samples?: readonly number[]
  /** µs since the sample before. */
  readonly timeDeltas?: readonly number[]
}

const SAMPLE_EVERY_US = 100
/** Time in which nothing ran. */
const IDLE = new Set(['(idle)', '(root)'])

/** Self time by function, longest first. */
function hotOf({ nodes, samples = [], timeDeltas = [] }: Profile): Hot[] {
  const nameOf = ({ callFrame: { functionName, url, lineNumber } }: ProfileNode): string =>
    functionName || (url === '' ? 'native code without a name' : `anonymous, line ${lineNumber + 1}`)
  const names = new Map(nodes.map((node) => [node.id, nameOf(node)]))
  const times = new Map<string, number>()
  samples.forEach((id, nth) => {
    const name = names.get(id) ?? '?'
    // A sample's own time is until the next one.
    if (!IDLE.has(name)) times.set(name, (times.get(name) ?? 0) + (timeDeltas[nth + 1] ?? 0) / 1_000)
  })
  return [...times].map(([name, selfMs]) => ({ name, selfMs })).toSorted((a, b) => b.selfMs - a.selfMs)
}

export async function startProfile(session: CDPSession): Promise<{ stop(): Promise<Hot[]> }> {
  await session.send('Profiler.enable')
  await session.send('Profiler.setSamplingInterval', { interval: SAMPLE_EVERY_US })
  await session.send('Profiler.start')
  return {
    async stop() {
      const { profile } = await session.send('Profiler.stop')
      await session.send('Profiler.disable')
      return hotOf(profile)
    },
  }
}
