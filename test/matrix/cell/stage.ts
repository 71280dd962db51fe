import { setTimeout as delay } from 'node:timers/promises'
import type { Engine } from '../../support/engines.ts'
import type { Blow, RecordOrder, StartOptions } from '../contract.ts'
import type { Browser } from '../engines/browser.ts'
import type { FaultProxy, Held } from '../server/proxy.ts'
import type { PageLine } from '../server/switchboard.ts'
import type { World } from '../server/world.ts'
import type { Book } from './book.ts'

export interface StageParts {
  readonly engine: Engine
  readonly browser: Browser
  readonly proxy: FaultProxy
  readonly book: Book
  readonly world: World
  /** The cell's own account and outbox: cells share a browser, not data. */
  readonly name: string
}

/** Events before the fault, sent and settled, so that token and connection are there; and those that meet the fault. */
const WARM_UP: RecordOrder = { count: 8 }
export const EVENTS: RecordOrder = { count: 32 }
/** The agent's own triggers stay out of the way: a cell says when to send. */
const FLUSH_INTERVAL_MS = 600_000
const DRAIN_BOUND_MS = 30_000
const GONE_BOUND_MS = 2_000
const LOOK_MS = 50

/** Asks until the answer is yes. @throws Error that says what was waited for. */
export async function until(
  what: string,
  isTrue: () => Promise<boolean>,
  boundMs: number = DRAIN_BOUND_MS,
): Promise<void> {
  const endMs = Date.now() + boundMs
  while (!(await isTrue())) {
    if (Date.now() > endMs) throw new Error(`${what}: not within ${boundMs} ms.`)
    await delay(LOOK_MS)
  }
}

/** Where one cell plays: a browser, a network between it and the relay, and the steps that cells are made of. */
export class Stage {
  readonly engine: Engine
  readonly browser: Browser
  readonly proxy: FaultProxy
  readonly book: Book
  readonly world: World
  readonly name: string

  constructor({ engine, browser, proxy, book, world, name }: StageParts) {
    this.engine = engine
    this.browser = browser
    this.proxy = proxy
    this.book = book
    this.world = world
    this.name = name
  }

  options(more: Partial<StartOptions> = {}): StartOptions {
    const { name, proxy } = this
    return { account: name, outbox: name, relay: proxy.url, flushIntervalMs: FLUSH_INTERVAL_MS, ...more }
  }

  /** A new page with an agent, and a few events that went all the way. */
  async visit(more?: Partial<StartOptions>): Promise<PageLine> {
    const page = await this.browser.openTab()
    await page.call('start', this.options(more))
    await this.recordDurably(page, WARM_UP)
    page.tell('flush')
    await this.drain(page)
    return page
  }

  /** Records, and waits for every receipt. */
  async recordDurably(page: PageLine, order: RecordOrder = EVENTS): Promise<void> {
    this.book.record(await page.call('record', order))
    await this.readReceipts(page)
  }

  async readReceipts(page: PageLine): Promise<void> {
    this.book.receipts(await page.call('receipts'))
  }

  /**
   * Records and strikes in one task; resolves when the page has told its ids, and `react` has run. Gives the ids whose
   * append was issued before the blow.
   */
  async strikeWhileRecording(
    page: PageLine,
    blow: Blow,
    react: () => void | Promise<void> = () => {},
  ): Promise<readonly string[]> {
    const { promise, resolve, reject } = Promise.withResolvers<readonly string[]>()
    page.onStrike(async (ids) => {
      this.book.record(ids)
      try {
        await react()
        resolve(ids.slice(0, Math.floor(EVENTS.count / 2)))
      } catch (error) {
        reject(error as Error)
      }
    })
    page.tell('recordAndStrike', { ...EVENTS, blow })
    return promise
  }

  /** A later visit: notes what the outbox kept, then lets an agent empty it. */
  async comeBack(page: PageLine): Promise<void> {
    this.book.held(await page.call('held', this.name))
    await page.call('start', this.options())
    page.tell('flush')
    await this.drain(page)
    page.tell('leave', { kind: 'close' })
  }

  /** Waits until the browser has let go of the request, where it does: some keep the connection of a dead page. */
  async pageGone(held: Held): Promise<void> {
    await Promise.race([(await held.arrived).ended, delay(GONE_BOUND_MS)])
  }

  async drain(page: PageLine): Promise<void> {
    await until('An empty outbox', async () => (await page.call('waiting')) === 0)
  }

  /** Sends, and holds the request on its way to the relay. */
  async flushIntoHold(page: PageLine): Promise<Held> {
    const held = this.proxy.hold()
    page.tell('flush')
    await held.arrived
    return held
  }
}
