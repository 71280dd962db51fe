/** The driver in the page: the same for every subject. */
import { type BenchEvent, type PageFace, RECORDING_MARK, type Recorded, type Subject } from './contract.ts'
import { makeEvents } from './events.ts'

const wallMs = (): number => performance.timeOrigin + performance.now()

/** Counts from now on. Call it before a library gets hold of the original. */
function countTransactions(): Record<string, number> {
  const counts: Record<string, number> = {}
  const original = IDBDatabase.prototype.transaction
  IDBDatabase.prototype.transaction = function (this: IDBDatabase, ...parameters: Parameters<typeof original>) {
    const mode = parameters[1] ?? 'readonly'
    counts[mode] = (counts[mode] ?? 0) + 1
    return original.apply(this, parameters)
  }
  return counts
}

function recordAll(subject: Subject, events: readonly BenchEvent[]): Recorded {
  performance.mark(RECORDING_MARK)
  const startMs = wallMs()
  for (const event of events) subject.record(event)
  return { startMs, callMs: wallMs() - startMs }
}

/** One event each time that the clock asks for it; a timer that comes late catches up. */
function recordSteadily(subject: Subject, events: readonly BenchEvent[], perSecond: number): Promise<Recorded> {
  const startMs = wallMs()
  let callMs = 0
  let next = 0
  return new Promise((resolve) => {
    const timer = setInterval(() => {
      const beforeMs = wallMs()
      const due = Math.min(events.length, Math.floor(((beforeMs - startMs) / 1_000) * perSecond) + 1)
      for (; next < due; next++) subject.record(events[next] as BenchEvent)
      callMs += wallMs() - beforeMs
      if (next < events.length) return
      clearInterval(timer)
      resolve({ startMs, callMs })
    }, 1_000 / perSecond)
  })
}

export async function openPage(subject: Subject): Promise<void> {
  const transactions = countTransactions()
  let events: readonly BenchEvent[] = []
  const face: PageFace = {
    transactions,
    prepare: (first, count) => {
      events = makeEvents(first, count)
    },
    // In a timer's task: what a debugger evaluates is not counted as the page's script.
    burst: () => new Promise((resolve) => setTimeout(() => resolve(recordAll(subject, events)))),
    burstAndClose: () => {
      recordAll(subject, events)
      window.close()
    },
    steady: (perSecond) => recordSteadily(subject, events, perSecond),
    durable: async () => {
      if (!subject.durable) return undefined
      await subject.durable()
      return wallMs()
    },
  }
  const sink = new URLSearchParams(location.search).get('sink') ?? location.origin
  await subject.start({ sink })
  window.bench = face
}
