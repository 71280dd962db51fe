import { setTimeout as delay } from 'node:timers/promises'
import { type BrowserContext, firefox } from 'playwright'
import { requireEngine } from '../../test/support/engines.ts'
import type { Format } from '../sink/contract.ts'
import { openSink } from '../sink/server.ts'
import type { PageScripts } from './bundle.ts'
import { countTransactions, record, waitForDelivery } from './drive.ts'
import { newProfile, openSubject } from './open.ts'
import { servePage } from './page-server.ts'

export interface TimesOptions {
  readonly scripts: PageScripts
  readonly format: Format
  readonly events: number
  readonly timeoutMs: number
}

/** What a page can tell of itself, in an engine without Chromium's metrics: wall time. */
export interface Times {
  readonly callMs: number
  readonly durableMs: number | undefined
  readonly deliveredMs: number
  readonly transactions: number
}

const SETTLE_MS = 1_000

function launchFirefox(profile: string): Promise<BrowserContext> {
  return firefox.launchPersistentContext(profile, { channel: 'moz-firefox', executablePath: requireEngine('firefox') })
}

/** One burst of one subject in a new Firefox. Throws when not all of it arrives in time. */
export async function timesInFirefox({ scripts, format, events, timeoutMs }: TimesOptions): Promise<Times> {
  await using opened = new AsyncDisposableStack()
  const sink = await openSink(format)
  opened.defer(() => sink.close())
  const site = await servePage(scripts)
  opened.defer(() => site.close())
  const profile = await newProfile()
  opened.defer(() => profile.remove())
  const context = await launchFirefox(profile.path)
  opened.defer(() => context.close())
  const page = await openSubject(context.pages()[0] ?? (await context.newPage()), site.url, sink.url)
  await page.evaluate((count) => window.bench?.prepare(0, count), events)
  await delay(SETTLE_MS)
  const transactionsBefore = await countTransactions(page)
  const recorded = await record(page, { kind: 'burst' })
  if (!recorded) throw new Error('The bench’s page is gone.')
  const durableAtMs = await page.evaluate(() => window.bench?.durable())
  await waitForDelivery(sink, events, Date.now() + timeoutMs)
  const { delivered, lastMs } = sink.arrivals
  if (delivered < events) throw new Error(`Firefox: ${delivered} of ${events} events arrived in time.`)
  return {
    callMs: recorded.callMs,
    durableMs: durableAtMs === undefined ? undefined : durableAtMs - recorded.startMs,
    deliveredMs: lastMs - recorded.startMs,
    transactions: (await countTransactions(page)) - transactionsBefore,
  }
}
