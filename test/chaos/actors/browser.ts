import { setTimeout as pause } from 'node:timers/promises'
import { type BrowserContext, chromium, type Page } from 'playwright'
import { killBrowser } from '../../../demo/replay/browser.ts'
import { CHROMIUM_FLAGS, requireEngine } from '../../support/engines.ts'
import type { Book } from '../book.ts'
import type { Actor } from '../contract.ts'
import type { Random } from '../random.ts'
import { untilEmpty } from './until-empty.ts'

export interface BrowserActorOptions {
  readonly name: string
  readonly account: string
  /** Folder of the profile: what survives a kill. */
  readonly profile: string
  /** Where the pages come from. */
  readonly origin: string
  /** The relay as pages reach it. */
  readonly relayUrl: string
  readonly book: Book
}

const MAX_TABS = 4
const DAY_MS = 86_400_000

/** A real Chromium with some tabs on one profile, each recording without a pause. */
export function browserActor({ name, account, profile, origin, relayUrl, book }: BrowserActorOptions): Actor {
  const url = `${origin}/page?${new URLSearchParams({ account, relay: relayUrl })}`
  let context: BrowserContext | undefined
  let clockMs = 0

  const tabs = (): Page[] => (context?.pages() ?? []).filter((page) => page.url().startsWith(origin))

  async function openTab(): Promise<void> {
    const page = await context?.newPage()
    await page?.goto(url)
    await page?.waitForFunction(() => window.chaos !== undefined)
    if (clockMs !== 0) await page?.evaluate((ms) => window.chaos?.shiftClock(ms), clockMs)
  }

  async function start(): Promise<void> {
    context = await chromium.launchPersistentContext(profile, {
      executablePath: requireEngine('chromium'),
      args: CHROMIUM_FLAGS,
    })
    await context.exposeBinding('chaosPromise', (_, ids: string[], durability: string) => {
      for (const id of ids) book.promise({ id, durability })
    })
    await context.exposeBinding('chaosBury', (_, id: string, code: string) => book.bury(id, code))
    await openTab()
  }

  async function kill(): Promise<void> {
    if (context) await killBrowser(context)
    context = undefined
  }

  /** The page dies; the browser, and its other tabs, live on. */
  async function crash(page: Page): Promise<void> {
    const session = await page.context().newCDPSession(page)
    session.send('Page.crash').catch(() => {})
    await page.waitForEvent('crash', { timeout: 10_000 }).catch(() => {})
    await page.close()
  }

  const STRIKES: Readonly<Record<string, (random: Random) => Promise<void>>> = {
    async 'browser killed'(random) {
      await kill()
      await pause(random.whole(0, 1_500))
      await start()
    },
    async 'tab crashed'(random) {
      const open = tabs()
      if (open.length > 0) await crash(random.pick(open))
      if (tabs().length === 0) await openTab()
    },
    async 'tab closed'(random) {
      const open = tabs()
      if (open.length > 1) await random.pick(open).close()
    },
    async 'tab opened'() {
      if (tabs().length < MAX_TABS) await openTab()
    },
    async offline(random) {
      await context?.setOffline(true)
      await pause(random.whole(500, 4_000))
      await context?.setOffline(false)
    },
    async 'clock jumps'(random) {
      const ms = random.whole(-10, 10) * DAY_MS - clockMs
      clockMs += ms
      for (const page of tabs()) await page.evaluate((by) => window.chaos?.shiftClock(by), ms)
    },
  }

  return {
    name,
    strikes: Object.keys(STRIKES),
    start,
    strike: async (kind, random) => STRIKES[kind]?.(random),
    async settle() {
      await context?.setOffline(false)
      if (tabs().length === 0) await openTab()
      for (const page of tabs()) await page.evaluate(() => window.chaos?.rest())
      const [page] = tabs()
      await untilEmpty(name, async () => {
        const seen = await page?.evaluate(() => window.chaos?.waiting())
        return seen ?? { waiting: Number.NaN, trouble: 'page_gone' }
      })
    },
    async stop() {
      await context?.close()
    },
  }
}
