import { setTimeout as delay } from 'node:timers/promises'
import type { CDPSession, Page } from 'playwright'
import type { Format } from '../sink/contract.ts'
import { openSink, type Sink } from '../sink/server.ts'
import type { PageScripts } from './bundle.ts'
import { countTransactions, type Pace, record, waitForDelivery } from './drive.ts'
import { collectGarbage, type MainThread, readMetrics, startMetrics } from './metrics.ts'
import { launch, newProfile, openSubject } from './open.ts'
import { servePage } from './page-server.ts'
import { type Hot, startProfile } from './profile.ts'
import { startTrace, type Task } from './trace.ts'

export interface MeasureOptions {
  readonly scripts: PageScripts
  readonly format: Format
  readonly events: number
  readonly pace: Pace
  /** The measurement ends when all is delivered and the page is quiet, or after this long. */
  readonly timeoutMs: number
  /** Events that are recorded and delivered before, and do not count. Default 0: the page's first burst is measured. */
  readonly warmUpEvents?: number
  /** Also traces tasks and watches the heap, which costs something: such a run's other figures are not to be compared. */
  readonly observe?: boolean
  /** Also samples which function runs; the same goes for such a run. */
  readonly profile?: boolean
}

/** One run of one subject in a browser of its own. */
export interface Run {
  readonly taskMs: number
  readonly scriptMs: number
  /** Within record(). */
  readonly callMs: number
  /** From the first record() until all are stored; undefined when the subject does not say. */
  readonly durableMs: number | undefined
  /** From the first record() until the last event was at the sink; undefined when not all came in time. */
  readonly deliveredMs: number | undefined
  readonly delivered: number
  readonly requests: number
  readonly wireBytes: number
  readonly transactions: number
  /** After a garbage collection when all is over, beyond what it was before. */
  readonly heldHeapBytes: number
  readonly observed?: Observed
  readonly hot?: readonly Hot[]
}

/** Tasks by processor time: what other programs do meanwhile does not count. */
export interface Observed {
  /** The task that records a burst: the caller's own loop, with the first writing at its end. */
  readonly recordingTaskMs: number
  /** The longest of all others. */
  readonly longestTaskMs: number
  readonly peakHeapBytes: number
}

/** The page starts its libraries, opens its storage, asks for settings. */
const SETTLE_MS = 1_000

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
  return {
    stop() {
      clearInterval(timer)
      return peakBytes
    },
  }
}

/** What is watched besides the browser's own metrics; each costs something itself. */
async function startWatching(page: Page, session: CDPSession, { observe, profile }: MeasureOptions) {
  const browser = page.context().browser()
  const trace = observe && browser ? await startTrace(browser) : undefined
  const heap = observe ? watchHeap(session) : undefined
  const profiler = profile ? await startProfile(session) : undefined
  return {
    async stop(before: MainThread, after: MainThread): Promise<Pick<Run, 'observed' | 'hot'>> {
      const peakHeapBytes = Math.max(heap?.stop() ?? 0, after.heapBytes) - before.heapBytes
      const tasks = await trace?.stop()
      const hot = await profiler?.stop()
      return { ...(tasks && { observed: observedOf(tasks, peakHeapBytes) }), ...(hot && { hot }) }
    },
  }
}

/** Sends events that do not count, so that everything is loaded, opened and compiled. */
async function warmUp(page: Page, sink: Sink, { events, warmUpEvents = 0, timeoutMs }: MeasureOptions): Promise<void> {
  if (warmUpEvents === 0) return
  const order = { first: events, count: warmUpEvents }
  await page.evaluate(({ first, count }) => window.bench?.prepare(first, count), order)
  await record(page, { kind: 'burst' })
  await waitForDelivery(sink, warmUpEvents, Date.now() + timeoutMs)
}

async function measureOn(page: Page, sink: Sink, options: MeasureOptions): Promise<Run> {
  const { events, pace, timeoutMs } = options
  const session = await page.context().newCDPSession(page)
  await startMetrics(session)
  await warmUp(page, sink, options)
  await page.evaluate((count) => window.bench?.prepare(0, count), events)
  await delay(SETTLE_MS)
  await collectGarbage(session)
  const earlier = sink.arrivals
  const watching = await startWatching(page, session, options)
  const transactionsBefore = await countTransactions(page)
  const before = await readMetrics(session)

  const recorded = await record(page, pace)
  if (!recorded) throw new Error('The bench’s page is gone.')
  const durableAtMs = await page.evaluate(() => window.bench?.durable())
  await waitForDelivery(sink, earlier.delivered + events, Date.now() + timeoutMs)

  const after = await readMetrics(session)
  const watched = await watching.stop(before, after)
  const transactions = (await countTransactions(page)) - transactionsBefore
  await collectGarbage(session)
  const { heapBytes } = await readMetrics(session)
  const { delivered, requests, bytes, lastMs, unread } = sink.arrivals
  if (unread.length > 0) throw new Error(`The sink did not understand ${unread.length} requests: ${unread[0]}`)
  const isWhole = delivered === earlier.delivered + events
  return {
    taskMs: after.taskMs - before.taskMs,
    scriptMs: after.scriptMs - before.scriptMs,
    callMs: recorded.callMs,
    durableMs: durableAtMs === undefined ? undefined : durableAtMs - recorded.startMs,
    deliveredMs: isWhole ? lastMs - recorded.startMs : undefined,
    delivered: delivered - earlier.delivered,
    requests: requests - earlier.requests,
    wireBytes: bytes - earlier.bytes,
    transactions,
    heldHeapBytes: heapBytes - before.heapBytes,
    ...watched,
  }
}

/** Measures one subject once, in a new browser on a new profile. */
export async function measure(options: MeasureOptions): Promise<Run> {
  await using opened = new AsyncDisposableStack()
  const sink = await openSink(options.format)
  opened.defer(() => sink.close())
  const site = await servePage(options.scripts)
  opened.defer(() => site.close())
  const profile = await newProfile()
  opened.defer(() => profile.remove())
  const context = await launch(profile.path)
  opened.defer(() => context.close())
  const page = context.pages()[0] ?? (await context.newPage())
  return await measureOn(await openSubject(page, site.url, sink.url), sink, options)
}
