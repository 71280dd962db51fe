import { readFileSync } from 'node:fs'
import type { CDPSession } from 'playwright'

/** What a page has cost, told from outside: by the system, which answers though the page does not. */
export interface Outside {
  /** Processor time since it was started, ms; of several pages, the one that took most. */
  spentMs(): Promise<number>
  stop(): void
}

/** A process that crashes takes its figures with it: the last that was seen has to do. */
const LOOK_EVERY_MS = 500

/** Linux counts a thread's time in hundredths of a second for every reader. */
const TICK_MS = 10

/** A thread's processor time, its own and the kernel's for it, from its line in /proc/…/stat. */
export function threadMs(stat: string): number {
  // The name stands in brackets, and may hold brackets and spaces itself. After it comes the third field.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return (Number(fields[11]) + Number(fields[12])) * TICK_MS
}

/** Of a process that runs pages, the main thread is the page's: on Linux the one with the process's own number. */
function mainThreadMs(pid: number): number | undefined {
  try {
    return threadMs(readFileSync(`/proc/${pid}/task/${pid}/stat`, 'utf8'))
  } catch {
    return undefined
  }
}

/** Processor time of the processes that run pages. Where the system has no /proc: of all their threads. */
async function pagesMs(session: CDPSession): Promise<Map<number, number>> {
  const { processInfo } = await session.send('SystemInfo.getProcessInfo')
  const pages = processInfo.filter(({ type }) => type === 'renderer')
  return new Map(pages.map(({ id, cpuTime }) => [id, mainThreadMs(id) ?? cpuTime * 1_000]))
}

/** `session`: the browser's, not a page's. */
export async function watchOutside(session: CDPSession): Promise<Outside> {
  const before = await pagesMs(session)
  let spentMs = 0
  function see(pid: number, nowMs: number | undefined): void {
    if (nowMs !== undefined) spentMs = Math.max(spentMs, nowMs - (before.get(pid) ?? 0))
  }
  const timer = setInterval(() => {
    for (const pid of before.keys()) see(pid, mainThreadMs(pid))
  }, LOOK_EVERY_MS)
  timer.unref()
  return {
    async spentMs() {
      for (const [pid, ms] of await pagesMs(session)) see(pid, ms)
      return spentMs
    },
    stop: () => clearInterval(timer),
  }
}
