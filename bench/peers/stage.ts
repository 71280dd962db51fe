import { setTimeout as delay } from 'node:timers/promises'
import type { Page } from 'playwright'
import { launch, newProfile, type OpenChromium, openSubject } from '../browser/open.ts'
import { servePage } from '../browser/page-server.ts'
import { within } from '../browser/within.ts'
import { openSink, type Sink } from '../sink/server.ts'
import { openRealRelay, type RealRelay } from './relay.ts'
import type { Library } from './subjects.ts'

/** Where one library meets one fate: a browser on a profile that lasts, its page, and the sink. */
export interface Stage {
  readonly sink: Sink
  /** metertap's relay; undefined for the others. */
  readonly relay: RealRelay | undefined
  readonly page: Page
  /** Records this many further events, so many a second. */
  record(count: number, perSecond: number): Promise<void>
  /** Records this many further events in one task, and closes the tab in it. */
  recordAndClose(count: number): Promise<void>
  setOffline(isOffline: boolean): Promise<void>
  /** SIGKILL to every process of the browser. */
  kill(): Promise<void>
  /** Opens the page anew, in a new browser where there is none, and records one event there. */
  nextVisit(): Promise<void>
  readonly recorded: number
  /** Waits until all that was recorded has arrived, or so long. */
  waitForAll(timeoutMs: number): Promise<void>
}

/** The page's libraries start, ask for settings, open their storage. */
const SETTLE_MS = 1_500
const POLL_MS = 100

class OpenStage implements Stage {
  readonly sink: Sink
  readonly relay: RealRelay | undefined
  readonly #siteUrl: string
  readonly #profile: string
  /** From the first moment of its start, so that none is forgotten that is still starting. */
  #browser: Promise<OpenChromium> | undefined
  #page: Page | undefined
  #recorded = 0

  constructor(parts: { sink: Sink; relay: RealRelay | undefined; siteUrl: string; profile: string }) {
    this.sink = parts.sink
    this.relay = parts.relay
    this.#siteUrl = parts.siteUrl
    this.#profile = parts.profile
  }

  get page(): Page {
    if (!this.#page) throw new Error('No page is open.')
    return this.#page
  }

  get recorded(): number {
    return this.#recorded
  }

  /** A tab that a page has opened, since only such a one may close itself. */
  async open(): Promise<void> {
    this.#browser ??= launch(this.#profile)
    const { context } = await this.#browser
    const root = context.pages()[0] ?? (await context.newPage())
    await root.goto(`${this.#siteUrl}/root`)
    const opened = context.waitForEvent('page')
    await root.evaluate(() => void window.open('about:blank'))
    const page = await opened
    this.#page = await openSubject(page, this.#siteUrl, this.sink.url)
    await delay(SETTLE_MS)
  }

  async #prepare(count: number): Promise<void> {
    const order = { first: this.#recorded, count }
    await this.page.evaluate(({ first, count: events }) => window.bench?.prepare(first, events), order)
    this.#recorded += count
  }

  async record(count: number, perSecond: number): Promise<void> {
    await this.#prepare(count)
    await this.page.evaluate((rate) => window.bench?.steady(rate), perSecond)
  }

  async recordAndClose(count: number): Promise<void> {
    await this.#prepare(count)
    const closed = this.page.waitForEvent('close')
    this.page.evaluate(() => window.bench?.burstAndClose()).catch(() => {})
    await closed
  }

  async setOffline(isOffline: boolean): Promise<void> {
    await (await this.#browser)?.context.setOffline(isOffline)
  }

  async kill(): Promise<void> {
    await (await this.#browser)?.kill()
    this.#browser = undefined
    this.#page = undefined
  }

  async nextVisit(): Promise<void> {
    // What has arrived is answered first: a tab closed under its answer is another fate.
    await delay(SETTLE_MS)
    if (this.#page && !this.#page.isClosed()) await this.#page.close()
    await this.open()
    await this.record(1, 1)
  }

  async waitForAll(timeoutMs: number): Promise<void> {
    const deadlineMs = Date.now() + timeoutMs
    while ((await this.#held()) < this.#recorded && Date.now() < deadlineMs) await delay(POLL_MS)
  }

  /** What is at the sink may still be on its way into the relay behind it. */
  async #held(): Promise<number> {
    const { delivered } = this.sink.arrivals
    if (!this.relay || delivered < this.#recorded) return delivered
    return Math.min(delivered, await this.relay.received())
  }

  async close(): Promise<void> {
    await (await this.#browser)?.close()
  }
}

/**
 * Sets the stage for a library, plays on it, and clears it away.
 *
 * @throws Error when the play takes longer than `limitMs`, as a page that does not answer makes it; its browser is killed.
 */
export async function onStage<T>(library: Library, limitMs: number, play: (stage: Stage) => Promise<T>): Promise<T> {
  await using opened = new AsyncDisposableStack()
  const relay = library.name === 'metertap' ? await openRealRelay() : undefined
  if (relay) opened.defer(() => relay.close())
  const sink = await openSink(relay?.format ?? library.format)
  opened.defer(() => sink.close())
  const site = await servePage(library.scripts, relay?.token)
  opened.defer(() => site.close())
  const profile = await newProfile()
  opened.defer(() => profile.remove())
  const stage = new OpenStage({ sink, relay, siteUrl: site.url, profile: profile.path })
  opened.defer(() => stage.close())
  const whole = stage.open().then(() => play(stage))
  return await within(whole, limitMs, async () => {
    const { delivered } = sink.arrivals
    await stage.kill()
    throw new Error(`cut off after ${limitMs / 1_000} s, with ${delivered} of ${stage.recorded} events delivered`)
  })
}
