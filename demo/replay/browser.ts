import { type BrowserContext, chromium, type Page } from 'playwright'
import { CHROMIUM_FLAGS, requireEngine } from '../../test/support/engines.ts'
import type { OutboxLook } from './contract.ts'

export interface BrowserOptions {
  /** Folder of the browser's profile: what survives a kill. */
  readonly profile: string
  readonly url: string
  readonly headed: boolean
}

/** A real Chromium with the replay's page open. */
export interface ReplayBrowser {
  feed(lines: readonly string[]): Promise<void>
  /** Feeds line by line, and in the middle of it kills every process of the browser. Resolves with the receipts known to be durable. */
  feedAndKill(lines: readonly string[]): Promise<number>
  look(): Promise<OutboxLook>
  setOffline(isOffline: boolean): Promise<void>
  /** Resolves, however often it is called, when the browser has ended and its profile lies still. */
  close(): Promise<void>
}

export async function startBrowser({ profile, url, headed }: BrowserOptions): Promise<ReplayBrowser> {
  const context = await chromium.launchPersistentContext(profile, {
    executablePath: requireEngine('chromium'),
    args: CHROMIUM_FLAGS,
    headless: !headed,
    // Ctrl-C is for the demo to handle: it cleans up first.
    handleSIGINT: false,
    handleSIGTERM: false,
    handleSIGHUP: false,
  })
  const page = context.pages()[0] ?? (await context.newPage())
  await page.goto(url)
  await page.waitForFunction(() => window.replay !== undefined)
  let closed: Promise<void> | undefined
  return {
    feed: (lines) => page.evaluate((given) => window.replay?.feed(given), lines),
    feedAndKill: (lines) => feedAndKill(context, page, lines),
    async look() {
      const seen = await page.evaluate(() => window.replay?.look())
      if (!seen) throw new Error('The replay’s page is gone.')
      return seen
    },
    setOffline: (isOffline) => context.setOffline(isOffline),
    close: () => (closed ??= context.close()),
  }
}

async function feedAndKill(context: BrowserContext, page: Page, lines: readonly string[]): Promise<number> {
  const pids = await processIds(context)
  const halfway = Promise.withResolvers<number>()
  await page.exposeFunction('replayHalfway', halfway.resolve)
  // It never comes back, as the page dies under it; should the page die before its time, the wait has to end too.
  page.evaluate((given) => window.replay?.feedOneByOne(given), lines).catch(halfway.reject)
  const durableReceipts = await halfway.promise
  await killBrowser(context, pids)
  return durableReceipts
}

/** SIGKILL to every process of the browser: none may say a last word. Resolves when it is gone. */
export async function killBrowser(context: BrowserContext, pids?: readonly number[]): Promise<void> {
  const gone = context.waitForEvent('close')
  for (const pid of pids ?? (await processIds(context))) kill(pid)
  await gone
}

/** The browser's own process first, then its renderers and services: none may say a last word. */
async function processIds(context: BrowserContext): Promise<number[]> {
  const session = await context.browser()?.newBrowserCDPSession()
  if (!session) throw new Error('This browser does not tell its processes.')
  const { processInfo } = await session.send('SystemInfo.getProcessInfo')
  const isChild = (type: string): number => Number(type !== 'browser')
  return processInfo.toSorted((a, b) => isChild(a.type) - isChild(b.type)).map(({ id }) => id)
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL')
  } catch {
    // It went with its parent.
  }
}
