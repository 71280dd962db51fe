import type { CDPSession } from 'playwright'

/** What the browser's own metrics say of the page's main thread, as processor time. */
export interface MainThread {
  /** All tasks: scripts, garbage collection, the browser's own code. */
  readonly taskMs: number
  readonly scriptMs: number
  readonly heapBytes: number
}

export async function startMetrics(session: CDPSession): Promise<void> {
  // The thread's own processor time: what other programs do meanwhile does not count.
  await session.send('Performance.enable', { timeDomain: 'threadTicks' })
}

export async function readMetrics(session: CDPSession): Promise<MainThread> {
  const { metrics } = await session.send('Performance.getMetrics')
  const of = (name: string): number => metrics.find((metric) => metric.name === name)?.value ?? Number.NaN
  return { taskMs: of('TaskDuration') * 1_000, scriptMs: of('ScriptDuration') * 1_000, heapBytes: of('JSHeapUsedSize') }
}

export async function collectGarbage(session: CDPSession): Promise<void> {
  await session.send('HeapProfiler.collectGarbage')
}
