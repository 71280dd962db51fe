import type { CDPSession, Page } from 'playwright'
import type { MainThread } from './metrics.ts'
import { type Hot, startProfile } from './profile.ts'
import { startTrace, type Task } from './trace.ts'

/** Tasks by processor time: what other programs do meanwhile does not count. */
export interface Observed {
  /** The task that records a burst: the caller's own loop, with the first writing at its end. */
  readonly recordingTaskMs: number
  /** The longest of all others. */
  readonly longestTaskMs: number
  readonly peakHeapBytes: number
}

interface WatchOptions {
  readonly observe?: boolean
  readonly profile?: boolean
}

interface Watched {
  readonly observed?: Observed
  readonly hot?: readonly Hot[]
}

function observedOf(tasks: readonly Task[], peakHeapBytes: number): Observed {
  const longest = (isRecording: boolean) =>
    Math.max(0, ...tasks.filter((task) => task.isRecording === isRecording).map(({ cpuMs }) => cpuMs))
  return { recordingTaskMs: longest(true), longestTaskMs: longest(false), peakHeapBytes }
}

function watchHeap(session: CDPSession): { stop(): number } {
  let peakBytes = 0
  const timer = setInterval(async () => {
    const { usedSize } = await session.send('Runtime.getHeapUsage').catch(() => ({ usedSize: 0 }))
    peakBytes = Math.max(peakBytes, usedSize)
  }, 20)
  timer.unref()
  return {
    stop() {
      clearInterval(timer)
      return peakBytes
    },
  }
}

/** What is watched besides the browser's own metrics; each costs something itself. */
export async function startWatching(page: Page, session: CDPSession, { observe, profile }: WatchOptions) {
  const browser = page.context().browser()
  const trace = observe && browser ? await startTrace(browser) : undefined
  const heap = observe ? watchHeap(session) : undefined
  const profiler = profile ? await startProfile(session) : undefined
  return {
    async stop(before: MainThread, after: MainThread): Promise<Watched> {
      const peakHeapBytes = Math.max(heap?.stop() ?? 0, after.heapBytes) - before.heapBytes
      const tasks = await trace?.stop()
      const hot = await profiler?.stop()
      return { ...(tasks && { observed: observedOf(tasks, peakHeapBytes) }), ...(hot && { hot }) }
    },
  }
}
