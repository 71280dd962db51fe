import { setTimeout as delay } from 'node:timers/promises'
import type { BrowserContext, CDPSession, Page } from 'playwright'
import type { Arrivals, Format } from '../sink/contract.ts'
import { openSink, type Sink } from '../sink/server.ts'
import type { PageScripts } from './bundle.ts'
import { CutOff, type Ending } from './cut-off.ts'
import { countTransactions, type Pace, record, waitForDelivery } from './drive.ts'
import { collectGarbage, readMetrics, startMetrics } from './metrics.ts'
import { launch, newProfile, openSubject } from './open.ts'
import { type Outside, watchOutside } from './outside.ts'
import { servePage } from './page-server.ts'
import type { Hot } from './profile.ts'
import { type Observed, startWatching } from './watch.ts'
import { within } from './within.ts'

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
  /** The same as it looks from outside, which is all that is known of a page that does not answer. */
  readonly outsideMs: number
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

/** The page starts its libraries, opens its storage, asks for settings. */
const SETTLE_MS = 1_000
/** For a page to load, to start its libraries and to make its events. */
const PREPARE_MS = 60_000
/** A page that is busy may answer between two tasks. */
const ANSWER_MS = 10_000

/** Sends events that do not count, so that everything is loaded, opened and compiled. */
async function warmUp(page: Page, sink: Sink, { events, warmUpEvents = 0, timeoutMs }: MeasureOptions): Promise<void> {
  if (warmUpEvents === 0) return
  const order = { first: events, count: warmUpEvents }
  await page.evaluate(({ first, count }) => window.bench?.prepare(first, count), order)
  await record(page, { kind: 'burst' })
  await waitForDelivery(sink, warmUpEvents, Date.now() + timeoutMs)
}

interface Prepared {
  readonly page: Page
  readonly session: CDPSession
  readonly sink: Sink
}

/** Opens the page, warms it up and makes its events: all that is not measured. */
async function prepare(context: BrowserContext, url: string, sink: Sink, options: MeasureOptions): Promise<Prepared> {
  const page = await openSubject(context.pages()[0] ?? (await context.newPage()), url, sink.url)
  const session = await context.newCDPSession(page)
  await startMetrics(session)
  await warmUp(page, sink, options)
  await page.evaluate((count) => window.bench?.prepare(0, count), options.events)
  await delay(SETTLE_MS)
  await collectGarbage(session)
  return { page, session, sink }
}

/** Recording at a steady pace takes its time by itself. */
function limitOf({ events, pace, timeoutMs }: MeasureOptions): number {
  return timeoutMs + (pace.kind === 'steady' ? (events / pace.perSecond) * 1_000 : 0)
}

async function measureOn({ page, session, sink }: Prepared, outside: Outside, options: MeasureOptions): Promise<Run> {
  const { events, pace } = options
  const earlier = sink.arrivals
  const deadlineMs = Date.now() + limitOf(options)
  const watching = await startWatching(page, session, options)
  const transactionsBefore = await countTransactions(page)
  const before = await readMetrics(session)

  const recorded = await record(page, pace)
  if (!recorded) throw new Error('The bench’s page is gone.')
  const durableAtMs = await page.evaluate(() => window.bench?.durable())
  await waitForDelivery(sink, earlier.delivered + events, deadlineMs)

  const after = await readMetrics(session)
  const outsideMs = await outside.spentMs()
  const watched = await watching.stop(before, after)
  const transactions = (await countTransactions(page)) - transactionsBefore
  await collectGarbage(session)
  const { heapBytes } = await readMetrics(session)
  const sent = sentSince(earlier, sink)
  return {
    taskMs: after.taskMs - before.taskMs,
    outsideMs,
    scriptMs: after.scriptMs - before.scriptMs,
    callMs: recorded.callMs,
    durableMs: durableAtMs === undefined ? undefined : durableAtMs - recorded.startMs,
    deliveredMs: sent.delivered === events ? sink.arrivals.lastMs - recorded.startMs : undefined,
    ...sent,
    transactions,
    heldHeapBytes: heapBytes - before.heapBytes,
    ...watched,
  }
}

function sentSince(earlier: Arrivals, { arrivals }: Sink): Pick<Run, 'delivered' | 'requests' | 'wireBytes'> {
  const { delivered, requests, bytes, unread } = arrivals
  if (unread.length > 0) throw new Error(`The sink did not understand ${unread.length} requests: ${unread[0]}`)
  return {
    delivered: delivered - earlier.delivered,
    requests: requests - earlier.requests,
    wireBytes: bytes - earlier.bytes,
  }
}

/**
 * Measures one subject once, in a new browser on a new profile. It ends, whatever the page does.
 *
 * @throws CutOff when the page crashes, or does not answer after its time: with what is known of it from outside.
 */
export async function measure(options: MeasureOptions): Promise<Run> {
  await using opened = new AsyncDisposableStack()
  const sink = await openSink(options.format)
  opened.defer(() => sink.close())
  const site = await servePage(options.scripts)
  opened.defer(() => site.close())
  const profile = await newProfile()
  opened.defer(() => profile.remove())
  const browser = await launch(profile.path)
  opened.defer(() => browser.close())
  const readyMs = PREPARE_MS + (options.warmUpEvents ? options.timeoutMs : 0)
  const prepared = await within(prepare(browser.context, site.url, sink, options), readyMs, () => {
    throw new Error('The page was not ready to record in time.')
  })
  const outside = await watchOutside(browser.session)
  opened.defer(() => outside.stop())
  const earlier = sink.arrivals
  const startMs = Date.now()
  const endAs = async (how: Ending['how']): Promise<never> => {
    const ending = { how, afterMs: Date.now() - startMs }
    const taskMs = await outside.spentMs()
    await browser.kill()
    throw new CutOff({ ending, taskMs, ...sentSince(earlier, sink) })
  }
  const run = measureOn(prepared, outside, options).catch((error: Error) => {
    if (error.message.includes('Target crashed')) return endAs('crashed')
    throw error
  })
  return await within(run, limitOf(options) + ANSWER_MS, () => endAs('cut off'))
}
