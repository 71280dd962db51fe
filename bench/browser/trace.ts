import type { Browser, CDPSession } from 'playwright'
import { RECORDING_MARK } from '../page/contract.ts'

const MAIN_THREAD = 'CrRendererMain'
const TASK = 'ThreadControllerImpl::RunTask'
const CATEGORIES = ['toplevel', 'blink.user_timing']

/** A task of a page's main thread. */
export interface Task {
  readonly wallMs: number
  readonly cpuMs: number
  /** The one in which the bench recorded its burst. */
  readonly isRecording: boolean
}

export interface TraceEvent {
  readonly name: string
  readonly ph: string
  readonly pid: number
  readonly tid: number
  /** µs. */
  readonly ts: number
  readonly dur?: number
  readonly tdur?: number
  readonly args?: { readonly name?: string }
}

/** Tasks of the main threads of processes that run pages, from a trace's events. */
export function mainThreadTasks(events: readonly TraceEvent[]): Task[] {
  const threadOf = ({ pid, tid }: TraceEvent): string => `${pid}/${tid}`
  const isName = ({ ph, name, args }: TraceEvent) => ph === 'M' && name === 'thread_name' && args?.name === MAIN_THREAD
  const mainThreads = new Set(events.filter(isName).map(threadOf))
  const mark = events.find(({ name }) => name === RECORDING_MARK)
  return events
    .filter((event) => event.ph === 'X' && event.name === TASK && mainThreads.has(threadOf(event)))
    .map((task) => {
      const { ts, dur = 0, tdur = dur } = task
      const isRecording =
        mark !== undefined && threadOf(mark) === threadOf(task) && ts <= mark.ts && mark.ts <= ts + dur
      return { wallMs: dur / 1_000, cpuMs: tdur / 1_000, isRecording }
    })
}

/** Traces the whole browser's tasks until stop() is called. Its own cost is small, but not nothing: time elsewhere. */
export async function startTrace(browser: Browser): Promise<{ stop(): Promise<Task[]> }> {
  const session: CDPSession = await browser.newBrowserCDPSession()
  const events: TraceEvent[] = []
  session.on('Tracing.dataCollected', ({ value }) => events.push(...(value as unknown as TraceEvent[])))
  await session.send('Tracing.start', {
    transferMode: 'ReportEvents',
    traceConfig: { includedCategories: CATEGORIES, excludedCategories: ['*'], recordMode: 'recordAsMuchAsPossible' },
  })
  return {
    async stop() {
      const complete = new Promise((resolve) => session.once('Tracing.tracingComplete', resolve))
      await session.send('Tracing.end')
      await complete
      await session.detach()
      return mainThreadTasks(events)
    },
  }
}
